// 500 clients at once on one URL that takes the origin 500 ms: cold, expired, and not to be stored. What counts is how long after the origin's last byte the
// last client has its last byte, and how often the origin was asked.

import net from 'node:net';
import { performance } from 'node:perf_hooks';

import { Origin } from '../support/origin.mjs';
import { fetchRaw } from '../support/raw_client.mjs';
import { within } from '../support/waiting.mjs';
import { proxies } from './proxies.mjs';
import { summary, table } from './statistics.mjs';

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

export async function collapse({ rounds }) {
  const state = await startOrigin();
  const results = {};
  const running = {};
  try {
    for (const name of Object.keys(proxies)) running[name] = await proxies[name](state.origin, { workers: 2, settings: { 'origin.max_concurrent': '1000' } });
    for (const kind of ['cold', 'expired', 'no-store']) {
      for (let round = 0; round < (kind === 'no-store' ? 1 : rounds); ++round) {
        for (const [name, proxy] of Object.entries(running)) {
          // nginx takes its requests one after the other here: five minutes.
          if (kind === 'no-store' && name === 'nginx') continue;
          const path = `/${kind}/${name}/${round}`;
          if (kind === 'expired') {
            await fetchRaw(proxy.port, path, { host: 'bench.example' });
            await pause(2100);
          }
          ((results[kind] ??= {})[name] ??= []).push(await burst(state, proxy, path));
        }
      }
    }
  } finally {
    for (const proxy of Object.values(running)) await proxy.stop();
    await state.origin.stop();
  }
  return report(results);
}

function report(results) {
  const rows = [['case', 'proxy', 'rounds', 'last byte after the origin\'s, ms', 'least', 'most', 'whole, ms', 'origin asked', 'at once']];
  const figures = {};
  for (const [kind, byProxy] of Object.entries(results)) {
    for (const [name, list] of Object.entries(byProxy)) {
      const after = summary(list.map((r) => r.afterOrigin));
      const total = summary(list.map((r) => r.total));
      const asked = [...new Set(list.map((r) => r.asked))].sort((a, b) => a - b);
      (figures[kind] ??= {})[name] = { afterOrigin: after, total, asked, rounds: list };
      rows.push([kind, name, list.length, after.median.toFixed(0), after.least.toFixed(0), after.most.toFixed(0), total.median.toFixed(0),
        asked.length > 2 ? `${asked[0]} to ${asked.at(-1)}` : asked.join(', '), Math.max(...list.map((r) => r.most))]);
    }
  }
  console.log(`\n${clients} clients at once, the origin takes ${originMs} ms`);
  console.log(table(rows));
  return { figures };
}
