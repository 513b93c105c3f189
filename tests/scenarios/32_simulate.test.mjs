// freshet simulate: traces and access logs against eviction policies, without an edge.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Edge, environment, freshetBin, runToEnd, temporaryDirectory } from '../support/edge.mjs';
import { Origin } from '../support/origin.mjs';

let scratch;
before(() => { scratch = temporaryDirectory(); });
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

let files = 0;
function traceFile(...lines) {
  const file = path.join(scratch, `trace-${++files}`);
  fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return file;
}

// Resolves with what `freshet simulate ... --json` printed.
async function simulate(...args) {
  const { status, stdout, stderr } = await runToEnd(['simulate', ...args, '--json']);
  assert.equal(status, 0, stderr);
  return { ...JSON.parse(stdout), stderr };
}

async function refused(args, pattern) {
  const { status, stdout, stderr } = await runToEnd(['simulate', ...args]);
  assert.equal(status, 2, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, pattern);
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
}

test('a table: every policy, the offline optimum and its bound, for each size', async () => {
  const file = traceFile('time,key,size', '0,a,100', '1,b,100', '2,a,100', '3,c,100', '4,a,100');
  const { status, stdout } = await runToEnd(['simulate', file, '--size', '50%,1KiB']);
  assert.equal(status, 0);
  const [summary, , heading, ...rows] = stdout.trimEnd().split('\n');
  assert.match(summary, /^5 requests of 500 B, 3 objects; footprint 300 B$/);
  assert.match(heading, /policy +size +bytes +hit ratio +byte hit ratio +hits +origin requests +origin bytes +evictions/);
  for (const name of ['lru', 'sieve', 's3-fifo', 'w-tinylfu', 'belady', 'bound']) assert.equal(rows.filter((row) => row.startsWith(`${name} `)).length, 2, stdout);
});

test('hits, misses and bytes of a small trace, as JSON', async () => {
  const file = traceFile('0,a,10', '1,b,20', '2,a,10', '3,a,11', '4,b,20', '5,c,999');
  const { trace, results } = await simulate(file, '--policy', 'lru', '--size', '100');
  assert.deepEqual(trace, { requests: 6, objects: 3, bytes: 1070, footprint: 1030, left_out: 0, bad_lines: 0 });
  // a has changed when it is 11 bytes; c is larger than the cache.
  const { policy, capacity, requests, hits, hit_bytes: hitBytes, origin_requests: misses, origin_bytes: missBytes, evictions, refused: tooLarge } = results[0];
  assert.deepEqual({ policy, capacity, requests, hits, hitBytes, misses, missBytes, evictions, tooLarge },
    { policy: 'lru', capacity: 100, requests: 6, hits: 2, hitBytes: 30, misses: 4, missBytes: 1040, evictions: 0, tooLarge: 1 });
});

test('ttl: what has expired is a miss', async () => {
  const { results } = await simulate(traceFile('0,a,10,60', '59.9,a,10,60', '60,a,10,60', '119,a,10,60'), '--policy', 'lru', '--size', '100');
  assert.equal(results[0].hits, 2);
});

test('standard input', () => {
  const { status, stdout } = spawnSync(freshetBin, ['simulate', '-', '--policy', 'lru', '--size', '100', '--json'],
    { input: '0,a,10\n1,a,10\n', encoding: 'utf8', env: environment() });
  assert.equal(status, 0);
  assert.equal(JSON.parse(stdout).results[0].hits, 1);
});

test('a generated trace is the same each time, and printed it is the same trace', async () => {
  for (const kind of ['zipf', 'zipf-one-hit', 'scan', 'size-mix', 'churn', 'loop']) {
    const numbers = ['--generate', kind, '--requests', '3000', '--objects', '200', '--seed', '7'];
    const printed = await runToEnd(['simulate', ...numbers, '--print']);
    assert.equal(printed.status, 0, printed.stderr);
    assert.equal((await runToEnd(['simulate', ...numbers, '--print'])).stdout, printed.stdout);
    const lines = printed.stdout.trimEnd().split('\n');
    assert.equal(lines.length, 3001);
    assert.equal(lines[0], 'time,key,size');
    const file = traceFile(...lines);
    const [direct, read] = [await simulate(...numbers), await simulate(file)];
    assert.deepEqual(read, direct, kind);
  }
});

test('output that cannot be written: exit status 2', { skip: !fs.existsSync('/dev/full') }, () => {
  for (const args of [['--print'], ['--policy', 'lru']]) {
    const full = fs.openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(freshetBin, ['simulate', '--generate', 'zipf', '--requests', '20000', ...args],
      { stdio: ['ignore', full, 'pipe'], encoding: 'utf8', env: environment() });
    fs.closeSync(full);
    assert.equal(status, 2);
    assert.match(stderr, /standard output/);
  }
});

test('an access log of an edge: its GETs, with the size that a 304 stands for', async (t) => {
  const origin = await Origin.start();
  t.after(() => origin.stop());
  const log = path.join(scratch, 'access.log');
  const edge = await Edge.start({ origin: origin.url, accessLog: log });
  t.after(() => edge.stop());
  for (const name of ['/a', '/b']) origin.on(name, { fields: { 'Cache-Control': 'max-age=60', ETag: '"1"' }, body: 'x'.repeat(1000) });
  origin.on('/broken', { status: 500, body: 'no' });
  await edge.get('/a');
  await edge.get('/b');
  assert.equal((await edge.get('/a', { fields: { 'If-None-Match': '"1"' } })).status, 304);
  await edge.get('/broken');
  await edge.stop();
  const { trace, results } = await simulate(log, '--policy', 'lru', '--size', '100%');
  assert.deepEqual(trace, { requests: 3, objects: 2, bytes: 3000, footprint: 2000, left_out: 1, bad_lines: 0 });
  assert.equal(results[0].hits, 1);
});

test('a combined log', async () => {
  const line = (request, status, bytes) => `192.0.2.7 - - [22/Nov/2026:18:18:37 +0000] "${request}" ${status} ${bytes} "-" "curl/7.88"`;
  const file = traceFile(line('GET /a HTTP/1.1', 200, 50), line('POST /a HTTP/1.1', 200, 5), line('GET /a HTTP/1.1', 304, 0), line('\\x16\\x03', 400, 150));
  const { trace, results } = await simulate(file, '--policy', 'sieve', '--size', '1K');
  assert.deepEqual(trace, { requests: 2, objects: 1, bytes: 100, footprint: 50, left_out: 2, bad_lines: 0 });
  assert.equal(results[0].hit_bytes, 50);
});

test('bad lines are told by file and line, counted and skipped, up to a limit', async () => {
  const file = traceFile('time,key,size', '0,a,10', 'x,a,10', '1,a,10', '2,a,many');
  const { trace, stderr } = await simulate(file);
  assert.equal(trace.bad_lines, 2);
  assert.equal(trace.requests, 2);
  assert.equal(stderr, `freshet: ${file}:3: time "x" is not a number; skipped\nfreshet: ${file}:5: size "many" is not a number of bytes; skipped\n`);
  await refused([file, '--max-bad-lines', '1'], /trace-\d+:5: size "many" is not a number of bytes; more than 1 such line/);
});

for (const [title, args, pattern] of [
  ['an unknown policy', ['t', '--policy', 'lru,lur'], /--policy: "lur" is no policy; there are lru, sieve, s3-fifo, .*belady, bound and all/],
  ['a cache of no bytes', ['t', '--size', '0'], /--size: "0"/],
  ['a size that is none', ['t', '--size', '10%,lots'], /--size: "lots"/],
  ['an unknown kind', ['--generate', 'random'], /--generate: "random" is no kind of trace; there are zipf,/],
  ['a file that is not there', ['/no/such/trace.csv'], /\/no\/such\/trace\.csv: No such file/],
  ['neither trace nor generator', [], /no trace/],
]) {
  test(`${title}: exit status 2 and a line that names it`, () => refused(args, pattern));
}
