// What an operator sees: metrics, health, the access log.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { temporaryDirectory } from '../support/edge.mjs';
import { expectBodyless } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { notOverHttp2 } from '../support/protocol.mjs';
import { eventually } from '../support/waiting.mjs';

// One worker: each worker's lines come in its own order.
const lab = sharedLab({ workers: 1 });
const fresh = { 'Cache-Control': 'max-age=60' };

const recordsOf = (pathname, n = 1, where = lab) => where.edge.accessLine((line) => line.target.endsWith(pathname), n);

test('/healthz answers 200', async () => {
  assert.equal((await lab.edge.admin('/healthz')).status, 200);
});

test('/metrics is in the Prometheus text format', async () => {
  const { status, fields, text } = await lab.edge.admin('/metrics');
  assert.equal(status, 200);
  assert.match(fields['content-type'], /^text\/plain; ?version=0\.0\.4/);
  for (const line of text.trimEnd().split('\n')) {
    assert.match(line, /^(# (HELP|TYPE) [a-z_][a-z0-9_]* .+|[a-z_:][a-z0-9_:]*(\{.*\})? -?[0-9.]+)$/);
  }
});

test('an unknown path of the admin plane is 404', async () => {
  assert.equal((await lab.edge.admin('/no-such')).status, 404);
});

test('the admin socket is for its owner alone', () => {
  const { mode } = fs.statSync(path.join(lab.edge.cacheDir, 'admin.sock'));
  assert.equal(mode & 0o007, 0, mode.toString(8));
});

test('requests, hits, misses and origin requests are counted', async (t) => {
  const own = await ownLab(t, { workers: 1 });
  own.origin.on('/', { fields: fresh, body: 'x' });
  for (let i = 0; i < 5; ++i) await own.get('/');
  const metrics = await own.edge.metricsWhen((m) => m.sum('freshet_requests_total') === 5, '5 requests counted');
  assert.equal(metrics.sum('freshet_requests_total', { outcome: 'hit' }), 4);
  assert.equal(metrics.sum('freshet_requests_total', { outcome: 'miss' }), 1);
  assert.equal(metrics.sum('freshet_origin_requests_total'), 1);
  assert.equal(metrics.sum('freshet_stored_total'), 1);
  assert.equal(metrics.sum('freshet_sent_body_bytes_total'), 5);
});

test('304s are counted apart, with the body bytes they saved', async (t) => {
  const own = await ownLab(t, { workers: 1 });
  const body = 'b'.repeat(1000);
  own.origin.on('/', { fields: { ...fresh, ETag: '"v1"' }, body });
  await own.store('/');
  for (let i = 0; i < 3; ++i) expectBodyless(await own.get('/', { fields: { 'If-None-Match': '"v1"' } }), 304);
  const metrics = await own.edge.metricsWhen((m) => m.sum('freshet_requests_total') === 4, '4 requests counted');
  assert.equal(metrics.sum('freshet_not_modified_total'), 3);
  assert.equal(metrics.sum('freshet_not_modified_saved_bytes_total'), 3000);
  const record = await recordsOf('/', 4, own);
  assert.equal(record.status, 304);
  assert.equal(record.bytes, 0);
  assert.equal(record.saved_bytes, 1000);
});

test('revalidations are counted on both sides', async (t) => {
  const own = await ownLab(t, { workers: 1 });
  own.origin.on('/', (request, reply) => {
    if (request.has('if-none-match')) reply.send(304, { 'Cache-Control': 'no-cache', ETag: '"v1"' });
    else reply.send(200, { 'Cache-Control': 'no-cache', ETag: '"v1"' }, 'body');
  });
  for (let i = 0; i < 4; ++i) await own.get('/');
  const metrics = await own.edge.metricsWhen((m) => m.sum('freshet_requests_total') === 4, '4 requests counted');
  assert.equal(metrics.sum('freshet_requests_total', { outcome: 'revalidated' }), 3);
  assert.equal(metrics.sum('freshet_origin_conditional_total'), 3);
  assert.equal(metrics.sum('freshet_origin_not_modified_total'), 3);
  assert.equal(metrics.sum('freshet_freshened_total'), 3);
});

test('a refused request is counted and logged', notOverHttp2('a malformed request has no answer and no line there, scenario 46'), async (t) => {
  const own = await ownLab(t, { workers: 1 });
  const client = await own.connect();
  client.send('GET / HTTP/1.1\r\nHost : x\r\n\r\n');
  assert.equal((await client.response()).status, 400);
  await own.edge.metricsWhen((m) => m.sum('freshet_bad_requests_total') === 1, 'a bad request counted');
  assert.equal((await own.edge.accessLine((line) => line.status === 400)).cache, 'error');
});

test('a broken transfer is counted and marked in the access log', async (t) => {
  const own = await ownLab(t, { workers: 1 });
  own.origin.on('/', (_, reply) => { reply.head(200, { 'Content-Length': '100' }).write('half').end(); });
  assert.equal((await own.get('/')).complete, false);
  await own.edge.metricsWhen((m) => m.sum('freshet_broken_transfers_total') === 1, 'a broken transfer counted');
  assert.equal((await recordsOf('/', 1, own)).broken, true);
});

test('gauges return to what they were', async (t) => {
  const own = await ownLab(t, { workers: 1 });
  own.origin.otherwise((request, reply) => reply.send(200, fresh, 'x'.repeat(100_000)));
  for (let i = 0; i < 10; ++i) await own.get(`/${i}`);
  await own.edge.metricsWhen(
    (m) => ['connections_open', 'origin_in_flight', 'origin_queued', 'fills_open', 'waiters_open', 'fill_bytes'].every((name) => m.sum(`freshet_${name}`) === 0),
    'all gauges of what is in progress at 0');
});

test('an access log record has time, client, method, target, status, bytes, outcome, reason and origin time', async () => {
  const target = `${lab.path()}?q=%22`;
  lab.origin.on(target.split('?')[0], { fields: fresh, body: 'hello' });
  await lab.get(target);
  await lab.get(target);
  const miss = await recordsOf(target, 1);
  const hit = await recordsOf(target, 2);
  for (const record of [miss, hit]) {
    assert.ok(Math.abs(Date.parse(record.time) - Date.now()) < 600_000, record.time);
    assert.equal(record.client, '127.0.0.1');
    assert.equal(record.method, 'GET');
    assert.equal(record.target, `${lab.edge.authority}${target}`);
    assert.equal(record.status, 200);
    assert.equal(record.bytes, 5);
  }
  assert.equal(miss.cache, 'miss');
  assert.equal(miss.origin_status, 200);
  assert.ok(miss.origin_ms >= 0);
  assert.equal(hit.cache, 'hit');
  assert.equal('origin_ms' in hit, false);
});

test('the outcome and its reason are those of Cache-Status: pass, revalidated, stale, error', async () => {
  const outcome = async (pathname, options, n = 1) => {
    await lab.get(pathname, options);
    return (await recordsOf(pathname, n)).cache;
  };
  const posted = lab.path();
  lab.origin.on(posted, { body: 'x' });
  assert.equal(await outcome(posted, { method: 'POST', body: 'x' }), 'pass');

  const validated = lab.path();
  lab.origin.on(validated, (request, reply) => reply.send(request.has('if-none-match') ? 304 : 200, { 'Cache-Control': 'no-cache', ETag: '"v"' }, 'x'));
  assert.equal(await outcome(validated), 'miss');
  assert.equal(await outcome(validated, {}, 2), 'revalidated');

  const stale = lab.path();
  lab.origin.on(stale, (request, reply) => {
    if (request.has('if-none-match')) reply.send(500, { 'Cache-Control': 'no-store' }, 'x');
    else reply.send(200, { 'Cache-Control': 'max-age=60, stale-if-error=600', Age: '100', ETag: '"v"' }, 'x');
  });
  await lab.get(stale);
  assert.equal(await outcome(stale, {}, 2), 'stale');

  const broken = lab.path();
  lab.origin.on(broken, (_, reply) => reply.reset());
  assert.equal(await outcome(broken), 'error');
});

test('what a client sends cannot forge a line of the access log', async () => {
  const pathname = lab.path();
  lab.origin.on(pathname, { body: 'x' });
  await lab.get(`${pathname}?","status":999,"x":"`.replaceAll('"', '%22'));
  const client = await lab.connect();
  client.request(`${pathname}?\xe9\\`, { host: 'a' });
  const response = await client.response();
  assert.ok([200, 400].includes(response.status));
  await lab.edge.accessLine((line) => line.status === 200 && line.target.includes(pathname));
  assert.ok(!lab.edge.access.some((line) => line.status === 999));
  assert.ok(!lab.edge.log.some((line) => line.startsWith('{')), 'every line of the access log is JSON');
});

test('log.access writes to a file', async (t) => {
  const directory = temporaryDirectory();
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'access.log');
  const own = await ownLab(t, { workers: 1, accessLog: file });
  own.origin.on('/', { body: 'x' });
  await own.get('/');
  await eventually(() => fs.existsSync(file) && fs.readFileSync(file, 'utf8').endsWith('\n'), 'a line in the file');
  assert.equal(JSON.parse(fs.readFileSync(file, 'utf8').trim()).status, 200);
  assert.deepEqual(own.edge.access, []);
});

test('log.access=off writes nothing', async (t) => {
  const own = await ownLab(t, { accessLog: 'off' });
  own.origin.on('/', { body: 'x' });
  await own.get('/');
  await own.edge.stopForRestart();
  assert.deepEqual(own.edge.access, []);
});

test('every line of the access log is written before a stop in order', async (t) => {
  const own = await ownLab(t, { workers: 1 });
  own.origin.on('/', { fields: fresh, body: 'x' });
  for (let i = 0; i < 100; ++i) await own.get('/');
  await own.edge.stopForRestart();
  assert.equal(own.edge.access.length, 100);
});
