// A million stored responses carry one tag. How long `freshet purge --tag` takes until it is acknowledged (on disk), whether every next request is a miss,
// and what purging costs the hits on other keys. Beside the whole command, from its start to its end, stands the edge's part of it: one POST of the same on
// the admin plane's unix socket.

import { execFile } from 'node:child_process';
import http from 'node:http';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';

import { Edge } from '../support/edge.mjs';
import { Nginx } from '../support/nginx.mjs';
import { pinned, wrk, wrkUntil } from './load.mjs';
import { cpuSeconds } from './proxies.mjs';
import { summary, table, whole } from './statistics.mjs';

const run = promisify(execFile);
const hitUrl = '/hit';

const origin = () => Nginx.start({
  log: false,
  server: () => `
    add_header Cache-Control "max-age=86400";
    location = ${hitUrl} { return 200 "${'h'.repeat(1024)}"; }
    location /one/ { add_header Cache-Control "max-age=86400"; add_header Surrogate-Key "all-of-one"; return 200 "${'o'.repeat(64)}"; }
    location / { add_header Cache-Control "max-age=86400"; add_header Surrogate-Key "everything"; return 200 "${'x'.repeat(64)}"; }`,
});

async function timed(action) {
  const before = performance.now();
  await action();
  return performance.now() - before;
}

const purge = (edge, tag) => timed(() => run(process.env.FRESHET_BIN, ['purge', '--cache-dir', edge.cacheDir, '--tag', tag]));

const post = (edge, tag) => timed(() => new Promise((resolve, reject) => {
  const body = JSON.stringify({ tags: [tag] });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  http.request({ socketPath: `${edge.cacheDir}/admin.sock`, path: '/v1/invalidate', method: 'POST', headers, agent: false }, (response) => {
    response.resume();
    response.once('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`the edge answers ${response.statusCode}`))));
  }).once('error', reject).end(body);
}));

const cacheStatus = (port, path) => new Promise((resolve, reject) => {
  http.get({ port, path, agent: false }, (response) => {
    response.resume();
    response.once('end', () => resolve(response.headers['cache-status'] ?? ''));
  }).once('error', reject);
});

// 100 purges a second on one kept connection; stop() says how many.
function purging(port, perSecond) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  let sent = 0;
  const timer = setInterval(() => {
    http.request({ port, agent, method: 'PURGE', path: `/nothing/${sent++}` }, (response) => response.resume()).on('error', () => {}).end();
  }, 1000 / perSecond);
  return () => {
    clearInterval(timer);
    agent.destroy();
    return sent;
  };
}

// Rounds of hits without and with something beside them, in turn.
async function interleaved(edge, rounds, seconds, beside) {
  const url = `${edge.url}${hitUrl}`;
  const results = { without: [], with: [] };
  for (let round = 0; round < 2 * rounds; ++round) {
    const kind = (round >> 1) % 2 === round % 2 ? 'without' : 'with';
    const cpu = cpuSeconds([edge.pid]);
    const stop = kind === 'with' ? beside() : undefined;
    const result = await wrk(url, seconds);
    await stop?.();
    results[kind].push({ p99: result.p99, cpuPerHit: (cpuSeconds([edge.pid]) - cpu) / result.count * 1e6 });
  }
  return results;
}

export async function purges({ size = 1_000_000, rounds = 10, seconds = 3 }) {
  const nginx = await origin();
  const edge = await Edge.start({ origin: nginx.url, workers: 1, wrap: pinned(0), accessLog: 'off', settings: { 'cache.memory': '512M', 'cache.disk': '8G' } });
  try {
    const stored = async () => (await edge.metrics()).sum('freshet_stored_total');
    await wrkUntil(edge.url, { urls: ['sequence', '/%d', 0] }, async () => await stored() >= size);
    const responses = await stored();
    for (let i = 0; i < 3; ++i) await cacheStatus(edge.port, hitUrl);

    const acknowledged = [];
    const answered = [];
    const wrong = [];
    for (let i = 0; i < 20; ++i) {
      acknowledged.push(await purge(edge, 'everything'));
      // A few that were stored, some of them in this loop; none may be a hit. The others stay.
      for (const n of [i * 100, i * 1000 + 7, responses - 1 - i * 50, 12345]) {
        const said = await cacheStatus(edge.port, `/${n}`);
        if (/;\s*hit/.test(said) || !/fwd=/.test(said)) wrong.push(`/${n}: ${said}`);
      }
      if (!/;\s*hit/.test(await cacheStatus(edge.port, hitUrl))) wrong.push(`${hitUrl} was purged too`);
      answered.push(await post(edge, 'everything'));
    }
    const during = await interleaved(edge, rounds, 1, () => {
      const done = purge(edge, 'everything');
      return () => done;
    });
    const hundred = await interleaved(edge, rounds, seconds, () => purging(edge.port, 100));
    return report({ responses, acknowledged, answered, wrong, during, hundred });
  } finally {
    await edge.stop();
    await nginx.stop();
  }
}

function report({ responses, acknowledged, answered, wrong, during, hundred }) {
  const time = summary(acknowledged);
  const answer = summary(answered);
  const p99 = { without: summary(during.without.map((r) => r.p99)), with: summary(during.with.map((r) => r.p99)) };
  const cost = { without: summary(hundred.without.map((r) => r.cpuPerHit)), with: summary(hundred.with.map((r) => r.cpuPerHit)) };
  const more = cost.with.median / cost.without.median - 1;
  console.log(`\n${whole(responses)} responses with one tag; freshet purge --tag, the whole command: median ${time.median.toFixed(1)} ms (${time.least.toFixed(1)} to ${time.most.toFixed(1)})`);
  console.log(`the edge's answer alone: median ${answer.median.toFixed(1)} ms (${answer.least.toFixed(1)} to ${answer.most.toFixed(1)})`);
  console.log(`looked at afterwards: ${wrong.length === 0 ? 'each a miss' : `${wrong.length} WRONG: ${wrong.slice(0, 5).join(' | ')}`}`);
  console.log(table([
    ['hits on another key', 'without', 'least', 'most', 'with', 'least', 'most'],
    ['p99 during such a purge, ms', ...[p99.without, p99.with].flatMap((s) => [s.median.toFixed(2), s.least.toFixed(2), s.most.toFixed(2)])],
    ['CPU each at 100 purges/s, us', ...[cost.without, cost.with].flatMap((s) => [s.median.toFixed(2), s.least.toFixed(2), s.most.toFixed(2)])],
  ]));
  console.log(`CPU of a hit at 100 purges a second: ${(more * 100).toFixed(1)} % more`);
  const ok = wrong.length === 0 && time.median < 10 && p99.with.median <= p99.without.most && more <= 0.03;
  console.log(ok ? 'ok' : 'FAILED: want under 10 ms, each a miss, p99 within the rounds without, at most 3 % more');
  return { responses, acknowledged: time, answered: answer, wrong, p99, cost, ok };
}
