// The rows of the benchmark: each peer does the same work for the same load, in interleaved rounds, one core for it and one for load and origin. What
// counts is requests per CPU-second of all its processes, which a busy neighbour disturbs least.
//
// A row says what is asked for and what the origin may see. The result of a peer counts only if each answer had the right status and length, and the
// origin saw none of the requests (hits), or every one (misses), of which the last are then in the store.

import { fetchRaw } from '../support/raw_client.mjs';
import { eventually } from '../support/waiting.mjs';
import { h2load, load, pinned } from './load.mjs';
import { about, bareOrigin, cpuSeconds, lacking, proxies } from './proxies.mjs';
import { print, throughput } from './report.mjs';
import { whole } from './statistics.mjs';

const kib = 1024;
const everyone = ['cache', 'files', 'bytes'];

// name, title, size of the content; kinds of peers that can do it; draw: how the URLs differ (of loader.cc; none: one URL), among how many; origin: what of it
// the origin is to see. status, conditional: with If-None-Match of what is stored; tls, h2, logs; connections.
export const rows = [
  { name: 'hit', title: 'hit, 1 KiB', size: kib, kinds: everyone },
  { name: '304', title: 'hit, answered 304', size: kib, kinds: everyone, conditional: true, status: 304 },
  { name: 'body100k', title: 'hit, 100 KiB', size: 100 * kib, kinds: everyone },
  { name: 'body10m', title: 'hit, 10 MiB', size: 10 * kib * kib, kinds: everyone, connections: 8 },
  { name: 'zipf', title: 'hits, 50,000 of 4 KiB, Zipf', size: 4 * kib, kinds: ['cache', 'bytes'], draw: 'zipf', among: 50_000 },
  { name: 'miss', title: 'misses, 4 KiB, stored', size: 4 * kib, kinds: ['cache'], draw: 'sequence', origin: 'each' },
  { name: 'tls', title: 'hit, 1 KiB, TLS 1.3', size: kib, kinds: everyone, tls: 'keep' },
  { name: 'handshake', title: 'full TLS 1.3 handshake and hit', size: kib, kinds: everyone, tls: 'full' },
  { name: 'resumed', title: 'resumed TLS 1.3 handshake and hit', size: kib, kinds: everyone, tls: 'resumed' },
  { name: 'h2', title: 'hit, 1 KiB, HTTP/2 over TLS, 32 x 16 streams', size: kib, kinds: ['cache', 'files'], tls: 'keep', h2: true },
  { name: 'logs', title: 'hit, 1 KiB, with access logs', size: kib, kinds: ['cache', 'files'], logs: true },
];

// Large enough for what the rows store, as with the peers.
const settings = { 'cache.memory': '4G', 'cache.disk': '4G' };

class NotCounted extends Error {}

// One peer in one row.
class Contestant {
  #numbers = 0;  // of the URLs that no store has yet

  constructor(row, origin, running) {
    Object.assign(this, { row, origin, running });
    this.rounds = [];
    this.target = `/${row.size}${row.draw ? '?%d' : ''}`;
    this.h2Requests = 1000;
    this.port = row.tls ? running.tlsPort : running.port;
  }

  // The content is in the store and the peer is warm.
  async prepare(seconds) {
    const { row } = this;
    if (row.conditional) {
      const etag = (await fetchRaw(this.port, this.target, { host: 'bench.example' })).field('etag');
      this.fields = [`If-None-Match: ${etag}`];
    }
    const fill = { port: this.port, target: this.target, length: row.size, tls: row.tls && 'keep' };
    if (row.draw === 'zipf') await this.#checked(load({ ...fill, connections: 8, requests: row.among, draw: 'sequence:0' }));
    else if (row.draw === undefined) await this.#checked(load({ ...fill, connections: 1, requests: 20 }));
    await this.round(seconds);
    this.rounds = [];
  }

  async round(seconds) {
    const asked = await this.origin.requests();
    const cpu = cpuSeconds(this.running.pids());
    const result = await this.#checked(this.row.h2 ? this.#h2(seconds) : this.#load(seconds));
    const used = cpuSeconds(this.running.pids()) - cpu;
    // Beyond what it had asked for at the end.
    this.#numbers += result.count + 1000;
    this.rounds.push({ ...result, cpu: used, perCpuSecond: result.count / used, asked: await this.origin.requests() - asked });
  }

  #load(seconds) {
    const { row } = this;
    this.first = this.#numbers;
    return load({
      port: this.port,
      target: this.target,
      status: row.status ?? 200,
      length: row.status === 304 ? 0 : row.size,
      connections: row.connections ?? 32,
      seconds,
      draw: { zipf: `zipf:${row.among}`, sequence: `sequence:${this.first}` }[row.draw],
      tls: row.tls,
      fields: this.fields,
    });
  }

  // h2load counts right only when it is told how many: as many as it did in a second before.
  async #h2(seconds) {
    const result = await h2load({ port: this.port, target: this.target, length: this.row.size, requests: this.h2Requests });
    this.h2Requests = Math.max(1000, Math.round(result.perSecond * seconds));
    return result;
  }

  async #checked(result) {
    const { wrong, ...figures } = await result;
    if (wrong) throw new NotCounted(wrong);
    return figures;
  }

  // How often the origin was asked, once what the load has left behind is over.
  async #settled() {
    let last = -1;
    await eventually(async () => {
      const now = await this.origin.requests();
      const quiet = now === last;
      last = now;
      return quiet;
    }, 'the origin to be left alone');
    return last;
  }

  // What the origin saw of the last round is what it may see.
  async look() {
    const { asked, count } = this.rounds.at(-1);
    if (this.row.origin !== 'each') {
      if (asked > 0) throw new NotCounted(`the origin was asked ${whole(asked)} times while only hits were to be served`);
      return;
    }
    if (asked < count) throw new NotCounted(`the origin was asked ${whole(asked)} times for ${whole(count)} misses`);
    const last = this.first + Math.max(0, count - 100);
    const before = await this.#settled();
    await this.#checked(load({ port: this.port, target: this.target, length: this.row.size, connections: 1, requests: Math.min(20, count), draw: `sequence:${last}` }));
    const again = await this.origin.requests() - before;
    if (again > 0) throw new NotCounted(`of 20 that were fetched the store has only ${20 - again}`);
  }
}

// {results: {peer: [round]}, notes: {peer: why it has no figure}, table of report.mjs}. peers: from name to start(), for tests.
export async function measure(row, { names = Object.keys(about), rounds, seconds, peers = proxies }) {
  const origin = await bareOrigin([row.size], pinned(1));
  const contestants = {};
  const notes = {};
  // What a peer gets wrong is its own result; the others go on.
  const attempt = async (name, action) => {
    try {
      await action();
    } catch (error) {
      notes[name] = error instanceof NotCounted ? `not counted: ${error.message}` : `failed: ${error.message.trim()}`;
      delete contestants[name];
      await started[name]?.stop();
      delete started[name];
    }
  };
  const started = {};
  try {
    for (const name of names.filter((each) => row.kinds.includes(about[each]?.kind ?? 'cache'))) {
      const why = about[name] && lacking(name, { tls: Boolean(row.tls), h2: row.h2 });
      if (why) {
        notes[name] = why;
        continue;
      }
      await attempt(name, async () => {
        started[name] = await peers[name](origin, { workers: 1, wrap: pinned(0), tls: Boolean(row.tls), logs: row.logs, settings });
        contestants[name] = new Contestant(row, origin, started[name]);
        await contestants[name].prepare(Math.min(seconds, 1));
      });
    }
    for (let round = 0; round < rounds; ++round) {
      const order = Object.keys(contestants);
      if (round % 2 === 1) order.reverse();
      for (const name of order) {
        await attempt(name, async () => {
          await contestants[name].round(seconds);
          await contestants[name].look();
        });
      }
    }
    const results = Object.fromEntries(Object.entries(contestants).map(([name, { rounds: list }]) => [name, list]));
    return { results, notes, table: { title: row.title, heading: throughput.heading, lines: throughput.lines(results), notes } };
  } finally {
    for (const each of Object.values(started)) await each.stop();
    await origin.stop();
  }
}

// As bench.mjs calls them.
export const benchmarks = rows.map((row) => [row.name, async ({ rounds, seconds, peers: names }) => {
  const result = await measure(row, { names, rounds, seconds });
  print(result.table);
  return result;
}]);
