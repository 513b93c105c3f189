// What a scenario needs around it: an edge before an origin, clients that are closed at the end, in the right order.
//
//   const lab = sharedLab({ settings: {...} });      // at the top of a file: one edge and one origin for all its tests
//   test('...', async (t) => {
//     const path = lab.path();                       // a path that no other test uses
//     lab.origin.on(path, { fields: {...}, body: 'x' });
//     const response = await lab.get(path);
//   });
//
//   const lab = await ownLab(t, {...});              // in one test: an edge of its own
//
// If the shared edge dies, the tests that follow fail by connection refused and the file fails with the edge's stderr.

import { after, before } from 'node:test';

import { Edge } from './edge.mjs';
import { Origin } from './origin.mjs';

export class Lab {
  #clients = [];
  #paths = 0;

  constructor(options) { this.options = options; }

  async open() {
    this.origin = await Origin.start();
    try {
      this.edge = await Edge.start({ origin: this.origin.url, ...this.options });
    } catch (error) {
      await this.origin.stop();
      throw error;
    }
    return this;
  }

  async close() {
    for (const client of this.#clients) client.close();
    try {
      await this.edge?.stop();
    } finally {
      await this.origin?.stop();
    }
  }

  path(name = 'p') { return `/${name}-${++this.#paths}`; }

  // A connection to the edge, closed with the lab.
  async connect(options) {
    const client = await this.edge.connect(options);
    this.#clients.push(client);
    return client;
  }

  // One request on a connection of its own.
  get(target, options) { return this.edge.get(target, options); }

  // Asks for `target` and leaves the answer stored, whole: the next request finds it in the store. Returns the response.
  async store(target, options) {
    const response = await this.get(target, options);
    if (!response.complete) throw new Error(`${target} arrived broken`);
    return response;
  }
}

export function sharedLab(options = {}) {
  const lab = new Lab(options);
  before(() => lab.open());
  after(() => lab.close());
  return lab;
}

export async function ownLab(t, options = {}) {
  const lab = new Lab(options);
  t.after(() => lab.close());
  await lab.open();
  return lab;
}
