// A client's Cache-Control and Pragma (RFC 9111 section 5.2.1): honoured, but however many clients insist, the origin is
// asked about one fresh response at most once in `cache.reload_interval`; and not honoured at all by a setting.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectHit, expectRevalidated, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';
import { gate } from '../support/waiting.mjs';

// Long enough that no test sees its end.
const lab = sharedLab({ settings: { 'cache.reload_interval': '1d' } });
const each = {
  every: sharedLab({ settings: { 'cache.reload_interval': '0' } }),
  ignoring: sharedLab({ settings: { 'cache.client_directives': 'ignore' } }),
};
const fresh = { 'Cache-Control': 'max-age=600', ETag: '"v1"' };
const noCache = { 'Cache-Control': 'no-cache' };

// 200 to the first, 304 to whoever has "v1".
function tagged(at, path) {
  at.origin.on(path, (request, reply) => (request.field('if-none-match') === '"v1"' ? reply.send(304, fresh) : reply.send(200, fresh, 'body')));
}

test('a thousand reloads on a hundred connections: one conditional request reaches the origin', async () => {
  const path = lab.path();
  tagged(lab, path);
  await lab.store(path);
  const clients = await Promise.all(Array.from({ length: 100 }, () => lab.connect()));
  await Promise.all(clients.map(async (client) => {
    for (let i = 0; i < 10; ++i) client.request(path, { fields: noCache });
    for (let i = 0; i < 10; ++i) expectWhole(await client.response(), 200, 'body');
  }));
  const [first, ...later] = lab.origin.requestsFor(path);
  assert.equal(first.has('if-none-match'), false);
  assert.equal(later.length, 1);
  assert.equal(later[0].field('if-none-match'), '"v1"');
  assert.equal((await lab.edge.metrics()).sum('freshet_reloads_bounded_total'), 999);
  for (const client of clients) client.close();
});

test('a reload storm of a thousand clients for five intervals: at most six requests reach the origin, all conditional', async (t) => {
  const own = await ownLab(t);
  tagged(own, '/storm');
  await own.store('/storm');
  const clients = await Promise.all(Array.from({ length: 1000 }, () => own.connect()));
  const begin = performance.now();
  const took = () => (performance.now() - begin) / 1000;
  let answers = 0;
  await Promise.all(clients.map(async (client) => {
    while (took() < 5) {
      expectWhole(await client.request('/storm', { fields: noCache }).response(), 200, 'body');
      ++answers;
    }
  }));
  const forced = own.origin.requestsFor('/storm').slice(1);
  assert.ok(answers >= 1000 && forced.length >= 1);
  // One at the beginning, and one for each interval that has passed (five, but for a machine that was slow to stop).
  assert.ok(forced.length <= 1 + Math.floor(took()), `${forced.length} in ${took()} s`);
  for (const request of forced) assert.equal(request.field('if-none-match'), '"v1"');
});

test('the first goes to the origin, the next is told why it does not', async () => {
  const path = lab.path();
  tagged(lab, path);
  await lab.store(path);
  const first = await lab.get(path, { fields: noCache });
  expectRevalidated(first);
  assert.equal(cacheStatus(first).fwd, 'request');
  const second = await lab.get(path, { fields: noCache });
  expectHit(second);
  assert.equal(cacheStatus(second).detail, 'reload-interval');
});

for (const [what, fields] of [
  ['no-cache', noCache], ['max-age=0', { 'Cache-Control': 'max-age=0' }], ['max-age=5 on what is older', { 'Cache-Control': 'max-age=5' }],
  ['min-fresh', { 'Cache-Control': 'min-fresh=1000' }], ['Pragma', { Pragma: 'no-cache' }],
]) {
  test(`${what} is honoured once in the interval`, async () => {
    const path = lab.path();
    lab.origin.on(path, (request, reply) => (request.has('if-none-match') ? reply.send(304, fresh) : reply.send(200, { ...fresh, Age: '50' }, 'body')));
    await lab.store(path);
    expectRevalidated(await lab.get(path, { fields }));
    await lab.get(path, { fields });
    assert.equal(lab.origin.requestsFor(path).length, 2);
  });
}

test('while the one is asked for, the others are served from the store and do not wait', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (request, reply) => {
    if (!request.has('if-none-match')) return reply.send(200, fresh, 'old');
    await opened;
    return reply.send(200, { ...fresh, ETag: '"v2"' }, 'new');
  });
  await lab.store(path);
  const first = await lab.connect();
  first.request(path, { fields: noCache });
  await lab.origin.received(path, 2);
  for (let i = 0; i < 3; ++i) expectWhole(await lab.get(path, { fields: noCache }), 200, 'old');
  open();
  expectWhole(await first.response(), 200, 'new');
  // It has been sent whole a moment before it is stored.
  let after = await lab.get(path, { fields: noCache });
  while (after.text === 'old') after = await lab.get(path, { fields: noCache });
  expectWhole(after, 200, 'new');
  assert.equal(lab.origin.requestsFor(path).length, 2);
});

test('a response without a validator is fetched anew, once', async () => {
  const path = lab.path();
  let n = 0;
  lab.origin.on(path, (_, reply) => reply.send(200, { 'Cache-Control': 'max-age=600' }, `${++n}`));
  await lab.store(path);
  expectWhole(await lab.get(path, { fields: noCache }), 200, '2');
  expectWhole(await lab.get(path, { fields: noCache }), 200, '2');
});

test('one key\'s reloads do not bound another\'s, nor what is stale anyway', async () => {
  for (const path of [lab.path(), lab.path()]) {
    tagged(lab, path);
    await lab.store(path);
    expectRevalidated(await lab.get(path, { fields: noCache }));
  }
  const path = lab.path();
  lab.origin.on(path, (request, reply) => reply.send(request.has('if-none-match') ? 304 : 200, { ...fresh, 'Cache-Control': 'max-age=10', Age: '100' }, 'x'));
  await lab.store(path);
  for (let i = 0; i < 3; ++i) expectRevalidated(await lab.get(path, { fields: noCache }));
});

test('only-if-cached with a reload is 504 and uses up nothing', async () => {
  const path = lab.path();
  tagged(lab, path);
  await lab.store(path);
  assert.equal((await lab.get(path, { fields: { 'Cache-Control': 'only-if-cached, no-cache' } })).status, 504);
  expectRevalidated(await lab.get(path, { fields: noCache }));
});

test('reload_interval=0: each reload goes to the origin', async () => {
  const path = each.every.path();
  tagged(each.every, path);
  await each.every.store(path);
  for (let i = 0; i < 3; ++i) expectRevalidated(await each.every.get(path, { fields: noCache }));
});

test('client_directives=ignore: none reaches the origin, only-if-cached counts still', async () => {
  const at = each.ignoring;
  const path = at.path();
  tagged(at, path);
  await at.store(path);
  for (const fields of [noCache, { 'Cache-Control': 'max-age=0' }, { Pragma: 'no-cache' }]) expectHit(await at.get(path, { fields }));
  assert.equal(at.origin.requestsFor(path).length, 1);
  assert.equal((await at.get(at.path(), { fields: { 'Cache-Control': 'only-if-cached' } })).status, 504);
});
