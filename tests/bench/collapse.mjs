// 500 clients at once on one URL that takes the origin 500 ms: cold, expired, and (by name) not to be stored. What counts is how long after the origin's last
// byte the last client has its last byte, and how often the origin was asked. Two workers each, on all cores.

import net from 'node:net';
import { performance } from 'node:perf_hooks';

import { Origin } from '../support/origin.mjs';
import { fetchRaw } from '../support/raw_client.mjs';
import { within } from '../support/waiting.mjs';
import { about, lacking, proxies } from './proxies.mjs';
import { label, print } from './report.mjs';
import { summary } from './statistics.mjs';

const clients = 500;
const originMs = 500;
const body = Buffer.alloc(10 * 1024, 'b');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// An origin that knows when it sent its last byte, and how many requests it had at once.
async function startOrigin() {
  const origin = await Origin.start();
  const state = { origin, lastByte: 0, now: 0, most: 0 };
  origin.otherwise(async (request, reply) => {
    const [, kind] = request.path.split('/');
    const first = origin.requestsFor(request.path).length === 1;
    const control = { cold: 'max-age=600', expired: first ? 'max-age=1' : 'max-age=600', 'no-store': 'no-store' }[kind];
    state.most = Math.max(state.most, ++state.now);
    if (kind !== 'expired' || !first) await pause(originMs);
    --state.now;
    const fields = { 'Cache-Control': control, ETag: '"e"' };
    if (request.has('if-none-match')) reply.send(304, fields);
    else reply.send(200, fields, body);
    state.lastByte = performance.now();
  });
  return state;
}

function connect(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

// Resolves with when this socket had head and body whole.
function whole(socket) {
  return new Promise((resolve, reject) => {
    let head = '';
    let left = -1;
    socket.on('data', (data) => {
      if (left >= 0) left -= data.length;
      else {
        head += data.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!/^HTTP\/1\.1 200 /.test(head)) return void reject(new Error(head.slice(0, end)));
        left = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? body.length) - (head.length - end - 4);
      }
      if (left === 0) resolve(performance.now());
    });
    socket.once('close', () => reject(new Error('closed before the body was whole')));
  });
}

async function burst(state, proxy, path) {
  const request = `GET ${path} HTTP/1.1\r\nHost: bench.example\r\n\r\n`;
  const sockets = await Promise.all(Array.from({ length: clients }, () => connect(proxy.port)));
  const asked = state.origin.requestsFor(path).length;
  state.most = 0;
  const began = performance.now();
  const finished = sockets.map((socket) => { const done = whole(socket); socket.write(request); return done; });
  const last = Math.max(...await within(Promise.all(finished), `${clients} responses`));
  for (const socket of sockets) socket.removeAllListeners('close').destroy();
  return { afterOrigin: last - state.lastByte, total: last - began, asked: state.origin.requestsFor(path).length - asked, most: state.most };
}

const titles = {
  cold: `${clients} clients at once on a cold key`,
  expired: `${clients} clients at once on an expired key`,
  'no-store': `${clients} clients at once on a key that is not to be stored`,
};

export async function measureBurst(kind, { names = Object.keys(about), rounds, peers = proxies }) {
  const state = await startOrigin();
  const running = {};
  const results = {};
  const notes = {};
  try {
    for (const name of names.filter((each) => (about[each]?.kind ?? 'cache') === 'cache')) {
      notes[name] = about[name] && lacking(name);
      // nginx takes its requests one after the other here: five minutes.
      if (kind === 'no-store' && name === 'nginx') notes[name] = 'left out: one request after the other, minutes';
      if (notes[name]) continue;
      delete notes[name];
      running[name] = await peers[name](state.origin, { workers: 2, settings: { 'origin.max_concurrent': '1000' } });
    }
    for (let round = 0; round < rounds; ++round) {
      for (const [name, proxy] of Object.entries(running)) {
        const path = `/${kind}/${name}/${round}`;
        if (kind === 'expired') {
          await fetchRaw(proxy.port, path, { host: 'bench.example' });
          await pause(2100);
        }
        try {
          (results[name] ??= []).push(await burst(state, proxy, path));
        } catch (error) {
          notes[name] = `failed: ${error.message}`;
          delete results[name];
          await proxy.stop();
          delete running[name];
        }
      }
    }
    return { bursts: results, notes, table: { title: `${titles[kind]}, the origin takes ${originMs} ms`, heading, lines: lines(results), notes } };
  } finally {
    for (const proxy of Object.values(running)) await proxy.stop();
    await state.origin.stop();
  }
}

const heading = ['peer', "last byte after the origin's, ms", 'spread', 'whole, ms', 'origin asked', 'at once'];

function lines(bursts) {
  return Object.entries(bursts).map(([name, list]) => {
    const after = summary(list.map((r) => r.afterOrigin));
    const asked = [...new Set(list.map((r) => r.asked))].sort((a, b) => a - b);
    return [label(name), after.median.toFixed(0), `${after.least.toFixed(0)} to ${after.most.toFixed(0)}`, summary(list.map((r) => r.total)).median.toFixed(0),
      asked.length > 1 ? `${asked[0]} to ${asked.at(-1)}` : String(asked[0]), Math.max(...list.map((r) => r.most))];
  });
}

// As bench.mjs calls them.
const benchmark = (kind) => async ({ rounds, peers: names }) => {
  const result = await measureBurst(kind, { names, rounds });
  print(result.table);
  return result;
};
export const benchmarks = ['cold', 'expired'].map((kind) => [kind, benchmark(kind)]);
export const noStore = benchmark('no-store');
