// Bounds: requests at the origin, the queue before it, connections. What is over a bound is refused in words a client understands.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab } from '../support/lab.mjs';
import { gate } from '../support/waiting.mjs';

const noStore = { 'Cache-Control': 'no-store' };

// An origin that answers below /slow when the gate opens, and the most requests it had at once.
function gated(lab) {
  const { opened, open } = gate();
  const state = { now: 0, most: 0, open };
  lab.origin.otherwise(async (request, reply) => {
    state.most = Math.max(state.most, ++state.now);
    await opened;
    --state.now;
    reply.send(200, noStore, request.path);
  });
  return state;
}

async function requestEach(lab, paths) {
  return Promise.all(paths.map(async (path) => (await lab.connect()).request(path)));
}

const paths = (n, from = 0) => Array.from({ length: n }, (_, i) => `/slow/${i + from}`);

for (const workers of [1, 2]) {
  test(`origin.max_concurrent holds over all ${workers} worker(s); the queued requests are answered in the end`, async (t) => {
    const lab = await ownLab(t, { workers, settings: { 'origin.max_concurrent': '3', 'origin.queue_size': '100', 'origin.queue_timeout': '60s' } });
    const state = gated(lab);
    const clients = await requestEach(lab, paths(20));
    await lab.edge.metricsWhen((m) => m.sum('freshet_origin_queued') === 17, '17 requests in the queue');
    await lab.origin.receivedInAll(3);
    assert.equal(lab.origin.requests.length, 3);
    state.open();
    for (const [i, client] of clients.entries()) expectWhole(await client.response(), 200, `/slow/${i}`);
    assert.ok(state.most <= 3, `${state.most} at once`);
    assert.equal(lab.origin.requests.length, 20);
  });
}

test('over the queue: 503 with Retry-After at once; a hit is still a hit', async (t) => {
  const lab = await ownLab(t, { workers: 1, settings: { 'origin.max_concurrent': '2', 'origin.queue_size': '2', 'origin.queue_timeout': '60s' } });
  lab.origin.on('/stored', { fields: { 'Cache-Control': 'max-age=60' }, body: 'stored' });
  await lab.store('/stored');
  const state = gated(lab);
  const clients = await requestEach(lab, paths(4));
  await lab.edge.metricsWhen((m) => m.sum('freshet_origin_queued') === 2, '2 requests in the queue');
  const refused = await lab.get('/slow/4');
  assert.equal(refused.status, 503, refused.head);
  assert.equal(refused.complete, true);
  assert.match(refused.field('retry-after') ?? '', /^\d+$/);
  expectHit(await lab.get('/stored'));
  state.open();
  for (const client of clients) assert.equal((await client.response()).status, 200);
  assert.equal((await lab.edge.metrics()).sum('freshet_origin_queue_refused_total'), 1);
});

test('origin.queue_timeout: who waits longer gets 503 with Retry-After', async (t) => {
  const lab = await ownLab(t, { settings: { 'origin.max_concurrent': '1', 'origin.queue_size': '10', 'origin.queue_timeout': '200ms' } });
  const state = gated(lab);
  const [first] = await requestEach(lab, ['/slow/0']);
  await lab.origin.received('/slow/0');
  const late = await lab.get('/slow/1');
  assert.equal(late.status, 503, late.head);
  assert.match(late.field('retry-after') ?? '', /^\d+$/);
  state.open();
  expectWhole(await first.response(), 200, '/slow/0');
});

test('over the bound a stale response is served where stale-if-error allows it', async (t) => {
  const lab = await ownLab(t, { settings: { 'origin.max_concurrent': '1', 'origin.queue_size': '0' } });
  lab.origin.on('/stale', { fields: { 'Cache-Control': 'max-age=60, stale-if-error=600', Age: '100', ETag: '"v"' }, body: 'stale' });
  await lab.store('/stale');
  const state = gated(lab);
  const [first] = await requestEach(lab, ['/slow/0']);
  await lab.origin.received('/slow/0');
  expectWhole(await lab.get('/stale'), 200, 'stale');
  assert.equal((await lab.get('/slow/1')).status, 503);
  state.open();
  expectWhole(await first.response(), 200, '/slow/0');
});

test('a client that leaves the queue makes room, and its request never reaches the origin', async (t) => {
  const lab = await ownLab(t, { settings: { 'origin.max_concurrent': '1', 'origin.queue_size': '1', 'origin.queue_timeout': '60s' } });
  const state = gated(lab);
  const [first] = await requestEach(lab, ['/slow/0']);
  await lab.origin.received('/slow/0');
  const leaving = await lab.connect();
  leaving.request('/slow/1', { method: 'POST', body: 'x' });
  await lab.edge.metricsWhen((m) => m.sum('freshet_origin_queued') === 1, 'a request in the queue');
  leaving.reset();
  await lab.edge.metricsWhen((m) => m.sum('freshet_origin_queued') === 0, 'an empty queue');
  const [next] = await requestEach(lab, ['/slow/2']);
  state.open();
  expectWhole(await first.response(), 200, '/slow/0');
  expectWhole(await next.response(), 200, '/slow/2');
  assert.equal(lab.origin.requestsFor('/slow/1').length, 0);
});

test('server.max_connections: further connections are refused, and there is room again when one leaves', async (t) => {
  const lab = await ownLab(t, { settings: { 'server.max_connections': '5' } });
  lab.origin.on('/', { fields: { 'Cache-Control': 'max-age=60' }, body: 'x' });
  const clients = [];
  for (let i = 0; i < 5; ++i) {
    clients.push(await lab.connect());
    expectWhole(await clients[i].request('/').response(), 200, 'x');
  }
  // Over TLS it does not come to a connection.
  const over = await lab.connect().catch(() => undefined);
  if (over !== undefined) {
    over.socket.on('error', () => {});
    over.request('/');
    await over.closed();
    if (over.in.available > 0) assert.equal((await over.response()).status, 503);
  }
  clients[0].close();
  await lab.edge.metricsWhen((m) => m.sum('freshet_connections_open') < 5, 'a connection less');
  expectWhole(await lab.get('/'), 200, 'x');
});

test('a head that is large, but within server.max_head, is taken', async (t) => {
  const lab = await ownLab(t, { settings: { 'server.max_head': '512KiB' } });
  lab.origin.on('/', { fields: noStore, body: 'x' });
  const fields = Array.from({ length: 40 }, (_, i) => [`X-${i}`, 'v'.repeat(8000)]);
  expectWhole(await lab.get('/', { fields }), 200, 'x');
});

test('a disk tier that cannot be written costs hits, and nothing else: the edge goes on and ends in order', async (t) => {
  // No file over 1 MiB: the log of the store reaches that first, and fails as on a full disk.
  const wrap = ['bash', '-c', 'trap "" XFSZ; ulimit -f 1024; exec "$@"', 'limited'];
  const lab = await ownLab(t, { wrap, settings: { 'cache.loss_bound': '10m' } });
  const bodies = Array.from({ length: 6 }, (_, i) => Buffer.alloc(500_000, `${i}`));
  for (const [i, body] of bodies.entries()) {
    lab.origin.on(`/large/${i}`, { fields: { 'Cache-Control': 'max-age=600' }, body });
    expectWhole(await lab.get(`/large/${i}`), 200, body);
  }
  await lab.edge.metricsWhen((m) => m.sum('freshet_disk_errors_total') > 0, 'a failed write');
  for (const [i, body] of bodies.entries()) expectWhole(await lab.get(`/large/${i}`), 200, body);
  await lab.edge.stopForRestart();
});
