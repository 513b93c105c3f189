// The access log: formats, request ids, sampling, rotation, a reader that does not read.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Edge, temporaryDirectory } from '../support/edge.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { eventually } from '../support/waiting.mjs';

const fresh = { 'Cache-Control': 'max-age=60' };
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let scratch;
before(() => { scratch = temporaryDirectory(); });
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

const linesOf = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(0, -1) : []);

// An edge of the test's own whose log is a file.
let files = 0;
async function withLog(t, settings = {}) {
  const file = path.join(scratch, `log-${++files}`);
  const lab = await ownLab(t, { workers: 1, accessLog: file, settings });
  return { lab, file, lines: (n) => eventually(() => { const lines = linesOf(file); return lines.length >= n && lines; }, `${n} lines in the log`) };
}

const lab = sharedLab({ workers: 1, settings: { 'log.request_id': 'true', 'server.trusted_proxies': '127.0.0.1' } });

test('a record has the time to the first byte, the key, the id and the trace', async () => {
  const pathname = lab.path();
  lab.origin.on(pathname, { fields: fresh, body: 'x' });
  const response = await lab.get(pathname, { fields: { traceparent } });
  await lab.get(pathname);
  const [miss, hit] = [await lab.edge.accessLine((line) => line.target.endsWith(pathname)), await lab.edge.accessLine((line) => line.target.endsWith(pathname), 2)];
  assert.equal(miss.id, response.field('x-request-id'));
  assert.equal(miss.trace, '4bf92f3577b34da6a3ce929d0e0e4736');
  assert.ok(miss.first_byte_ms >= miss.origin_ms - 1 && miss.first_byte_ms <= miss.ms, JSON.stringify(miss));
  assert.match(miss.key, /^[0-9a-f]{16}$/);
  assert.equal(hit.key, miss.key);
  assert.notEqual(hit.id, miss.id);
  assert.equal('trace' in hit, false);
});

test('a request id is made, or taken from a trusted proxy; the origin and the client get it', async () => {
  const pathname = lab.path();
  lab.origin.on(pathname, { fields: { 'X-Request-Id': 'of the origin' }, body: 'x' });
  const seen = () => lab.origin.requestsFor(pathname).at(-1);
  const made = await lab.get(pathname);
  assert.match(made.field('x-request-id'), /^[0-9a-f]{32}$/);
  assert.equal(seen().field('x-request-id'), made.field('x-request-id'));
  const taken = await lab.get(pathname, { fields: { 'X-Request-Id': 'abc-1:2/3', traceparent, tracestate: 'a=b' } });
  assert.equal(taken.field('x-request-id'), 'abc-1:2/3');
  assert.equal(seen().field('x-request-id'), 'abc-1:2/3');
  assert.equal(seen().field('traceparent'), traceparent, 'traceparent goes on as it came');
  assert.equal(seen().field('tracestate'), 'a=b');
  const mad = await lab.get(pathname, { fields: { 'X-Request-Id': 'a b' } });
  assert.match(mad.field('x-request-id'), /^[0-9a-f]{32}$/);
});

test('a hit has the id of its own request, not of that with which it was fetched; so has an error', async () => {
  const pathname = lab.path();
  lab.origin.on(pathname, { fields: { ...fresh, 'X-Request-Id': 'of the origin' }, body: 'x' });
  await lab.store(pathname);
  const hit = await lab.get(pathname, { fields: { 'X-Request-Id': 'mine' } });
  assert.match(hit.field('cache-status'), /hit/);
  assert.equal(hit.field('x-request-id'), 'mine');
  const broken = lab.path();
  lab.origin.on(broken, (_, reply) => reply.reset());
  const error = await lab.get(broken, { fields: { 'X-Request-Id': 'mine-too' } });
  assert.equal(error.status, 502);
  assert.equal(error.field('x-request-id'), 'mine-too');
});

test('of others a request id is not taken; without the setting it is a field like any other', async (t) => {
  const { lab: own } = await withLog(t, { 'log.request_id': 'true' });
  own.origin.on('/', { body: 'x' });
  assert.match((await own.get('/', { fields: { 'X-Request-Id': 'forged' } })).field('x-request-id'), /^[0-9a-f]{32}$/);
  const { lab: off } = await withLog(t);
  off.origin.on('/', { body: 'x' });
  assert.equal((await off.get('/', { fields: { 'X-Request-Id': 'mine' } })).field('x-request-id'), undefined);
  assert.equal(off.origin.requests.at(-1).field('x-request-id'), 'mine');
});

test('log.format = combined', async (t) => {
  const { lab: own, lines } = await withLog(t, { 'log.format': 'combined' });
  own.origin.on('/a?b="c', { fields: fresh, body: 'hello' });
  await own.get('/a?b=c', { fields: { 'User-Agent': 'a "quoted"\\ agent', Referer: 'http://x/' } });
  const [line] = await lines(1);
  assert.match(line, /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/a\?b=c HTTP\/1\.1" \d{3} \d+ "http:\/\/x\/" "a \\"quoted\\"\\\\ agent"$/);
});

test('a format of one\'s own; a client can forge no line', async (t) => {
  const { lab: own, lines } = await withLog(t, { 'log.format': '{{{status}}} {cache} <{header:X-A}> {path}' });
  own.origin.otherwise((_, reply) => reply.send(200, fresh, 'x'));
  await own.get('/1', { fields: { 'X-A': 'tab\there "x"' } });
  const client = await own.connect();
  client.send(Buffer.from('GET /2?\xe9" HTTP/1.1\r\nHost: a\r\n\r\n', 'latin1'));
  await client.response();
  const [first, second] = await lines(2);
  assert.equal(first, '{200} miss <tab\\x09here \\"x\\"> /1');
  assert.match(second, /^\{(200|400)\} \w+ <-> (\/2\?\\xe9\\"|-)$/);
});

test('log.sample = 0: what went wrong, and nothing else', async (t) => {
  const { lab: own, file } = await withLog(t, { 'log.sample': '0', 'log.format': '{path} {status}' });
  own.origin.on('/good', { fields: fresh, body: 'x' });
  own.origin.on('/bad', { status: 500, body: 'x' });
  own.origin.on('/gone', (_, reply) => reply.reset());
  for (const pathname of ['/good', '/good', '/bad', '/gone']) await own.get(pathname);
  const metrics = await own.edge.metrics();
  assert.equal(metrics.sum('freshet_access_log_left_out_total'), 2);
  await own.edge.stopForRestart();
  assert.deepEqual(linesOf(file), ['/bad 500', '/gone 502']);
});

test('SIGHUP: lines go to a new file, none is lost', async (t) => {
  const { lab: own, file, lines } = await withLog(t, { 'log.format': '{path}' });
  own.origin.otherwise((_, reply) => reply.send(200, fresh, 'x'));
  await own.get('/before');
  await lines(1);
  fs.renameSync(file, `${file}.1`);
  await own.get('/between');
  own.edge.child.kill('SIGHUP');
  await eventually(() => fs.existsSync(file), 'a new file');
  await own.get('/after');
  assert.deepEqual(await lines(1), ['/after']);
  assert.deepEqual(linesOf(`${file}.1`), ['/before', '/between']);
});

test('a reader that does not read holds up nobody: lines are dropped and counted', async (t) => {
  const fifo = path.join(scratch, 'fifo');
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
  // Holds it open and reads nothing.
  const holder = spawn('sleep', ['600'], { stdio: [fs.openSync(fifo, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK), 'ignore', 'ignore'] });
  t.after(() => holder.kill('SIGKILL'));
  const own = await ownLab(t, { workers: 1, accessLog: fifo });
  own.origin.on('/', { fields: fresh, body: 'x' });
  await own.store('/');
  const client = await own.connect();
  // Far more than the pipe and the blocks hold: 4 MiB and a pipe of 64 KiB, of lines with 4,000 bytes.
  const request = `GET /?${'x'.repeat(4000)} HTTP/1.1\r\nHost: a\r\n\r\n`;
  own.origin.otherwise((_, reply) => reply.send(200, fresh, 'x'));
  for (let sent = 0; sent < 2000; sent += 100) {
    client.send(request.repeat(100));
    for (let i = 0; i < 100; ++i) assert.equal((await client.response()).status, 200);
  }
  const metrics = await own.edge.metrics();
  assert.ok(metrics.sum('freshet_access_log_dropped_total') > 0);
  assert.equal((await own.get('/')).status, 200);
});

test('what is wrong with log.format is said at the start, with its place', async () => {
  const edge = new Edge({ origin: 'http://127.0.0.1:1', settings: { 'log.format': '{status} {tatus}' } });
  await assert.rejects(edge.spawn(), /log\.format: \{tatus\} at character 10 is no field; the fields are time, /);
  fs.rmSync(edge.cacheDir, { recursive: true, force: true });
});
