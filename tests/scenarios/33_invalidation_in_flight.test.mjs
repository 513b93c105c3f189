// An invalidation while something is under way: a fill, a validation, a refresh behind the client's back, slices, a body from disk. Who was
// there before it gets what he waits for; who comes after it gets nothing older, and nothing older is stored (G4, G5).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectRevalidated, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const fresh = { 'Cache-Control': 'max-age=600' };

// By whom: each invalidates a path whose responses carry the tag and the group that `tagged` gives them.
const tagged = (path) => ({ 'Surrogate-Key': `t${path}`, 'Cache-Groups': `"g${path}"` });
async function purge(where, path, fields = {}) {
  const response = await where.get(path, { method: 'PURGE', fields });
  assert.equal(response.status, 200, response.head);
}
async function byGroup(where, path) {
  where.origin.on('/act', async (request, reply) => { await request.whole(); reply.send(200, { 'Cache-Group-Invalidation': `"g${path}"` }, ''); });
  await where.get('/act', { method: 'POST', body: '' });
}
const hard = {
  'PURGE': (where, path) => purge(where, path),
  'PURGE of a tag': (where, path) => purge(where, '/', { 'Surrogate-Key': `t${path}` }),
  'a cache group': byGroup,
};
const soft = {
  'soft PURGE': (where, path) => purge(where, path, { 'Soft-Purge': '1' }),
  'soft PURGE of a tag': (where, path) => purge(where, '/', { 'Soft-Purge': '1', 'Surrogate-Key': `t${path}` }),
};

// Answers with what `state` says when the request comes; a closed gate there holds them back.
function versioned(where, path, more = {}) {
  const state = { version: 1, held: null, ...more };
  where.origin.on(path, async (request, reply) => {
    const { version, held, fields = fresh, status = 200 } = state;
    const all = { ...fields, ...tagged(path), ETag: `"v${version}"` };
    if (held) await held.opened;
    if (status !== 200) return reply.send(status, {}, '');
    if (request.field('if-none-match') === all.ETag) return reply.send(304, all);
    reply.send(200, all, `version ${version}`);
  });
  return state;
}

async function ask(where, path) {
  const client = await where.connect();
  client.request(path);
  return client;
}

const joined = async (n) => {
  const before = (await lab.edge.metrics()).sum('freshet_collapsed_total');
  return () => lab.edge.metricsWhen((metrics) => metrics.sum('freshet_collapsed_total') >= before + n, `${n} requests that joined`);
};

for (const [how, invalidate] of Object.entries({ ...hard, ...soft })) {
  test(`${how} before the head: earlier clients get the answer, later ones a newer`, async () => {
    const path = lab.path();
    const state = versioned(lab, path, { held: gate() });
    const first = state.held;
    const bothJoined = await joined(1);
    const early = [await ask(lab, path)];
    await lab.origin.received(path);
    early.push(await ask(lab, path));
    await bothJoined();
    await invalidate(lab, path);
    Object.assign(state, { version: 2, held: null });
    const oneMore = await joined(1);
    const late = await ask(lab, path);
    // By the URL it starts its own; by a tag it joins, until the head says that it must not.
    await Promise.race([lab.origin.received(path, 2), oneMore()]);
    first.open();
    for (const client of early) expectWhole(await client.response(), 200, 'version 1');
    expectWhole(await late.response(), 200, 'version 2');
    const after = await lab.get(path);
    expectWhole(after, 200, 'version 2');
  });

  test(`${how} while the content comes: it is whole for its client and nobody else's`, async () => {
    const path = lab.path();
    const { opened, open } = gate();
    let version = 1;
    lab.origin.on(path, async (_, reply) => {
      const all = { ...fresh, ...tagged(path), ETag: `"${version}"` };
      if (version === 2) return reply.send(200, all, 'new');
      reply.head(200, { ...all, 'Content-Length': '6' }).write('old');
      await opened;
      return reply.write('old');
    });
    const early = await lab.connect();
    const head = await early.bodyUntil(await early.request(path).responseHead(), 'old');
    version = 2;
    await invalidate(lab, path);
    expectWhole(await lab.get(path), 200, 'new');
    open();
    expectWhole(await early.finishBody(head), 200, 'oldold');
    expectWhole(await lab.get(path), 200, 'new');
  });
}

for (const [how, invalidate] of Object.entries(hard)) {
  test(`${how} while it is validated: the 304 is not applied, the content is asked for`, async () => {
    const path = lab.path();
    const state = versioned(lab, path, { fields: { 'Cache-Control': 'no-cache' } });
    await lab.store(path);
    const held = state.held = gate();
    const client = await ask(lab, path);
    await lab.origin.received(path, 2);
    await invalidate(lab, path);
    state.held = null;
    held.open();
    const answer = await client.response();
    expectWhole(answer, 200, 'version 1');
    const asked = lab.origin.requestsFor(path);
    assert.deepEqual(asked.map((request) => request.field('if-none-match')), [undefined, '"v1"', undefined]);
  });

  test(`${how} while it is validated, and the origin fails: what is forgotten stands in for nothing`, async () => {
    const path = lab.path();
    const state = versioned(lab, path, { fields: { 'Cache-Control': 'max-age=0, stale-if-error=600' } });
    await lab.store(path);
    const held = state.held = gate();
    state.status = 503;
    const client = await ask(lab, path);
    await lab.origin.received(path, 2);
    await invalidate(lab, path);
    held.open();
    const answer = await client.response();
    assert.equal(answer.status, 503, answer.head);
    expectForwarded(answer);
    state.held = null;
    assert.equal((await lab.get(path)).status, 503);
  });

  test(`${how} while it is refreshed behind a stale answer: nothing old is stored again`, async () => {
    const path = lab.path();
    const state = versioned(lab, path, { fields: { 'Cache-Control': 'max-age=0, stale-while-revalidate=600' } });
    await lab.store(path);
    const held = state.held = gate();
    expectWhole(await lab.get(path), 200, 'version 1');
    await lab.origin.received(path, 2);
    Object.assign(state, { version: 2, held: null, fields: fresh });
    await invalidate(lab, path);
    const after = await lab.get(path);
    expectForwarded(after);
    expectWhole(after, 200, 'version 2');
    held.open();
    await lab.origin.received(path, 3);
    expectWhole(await lab.get(path), 200, 'version 2');
  });

  test(`${how} while a body is sent from disk: it goes on; after it nothing is there`, async (t) => {
    const own = await ownLab(t, { settings: { 'cache.memory': '1M' } });
    const body = Buffer.alloc(3_000_000, 'disk ');
    const all = { ...fresh, ...tagged('/d') };
    own.origin.on('/d', { fields: all, body });
    await own.store('/d');
    await own.edge.metricsWhen((metrics) => metrics.sum('freshet_fills_open') === 0, 'the end of the fill');
    const client = await own.connect();
    const head = await client.bodyUntil(await client.request('/d').responseHead(), 'disk ');
    expectHit(head);
    client.pause();
    await invalidate(own, '/d');
    own.origin.on('/d', { fields: all, body: 'new' });
    expectWhole(await own.get('/d'), 200, 'new');
    client.resume();
    const whole = await client.finishBody(head);
    assert.ok(whole.complete && whole.body.equals(body));
  });
}

for (const [how, invalidate] of Object.entries(soft)) {
  test(`${how}: validated before it is served again, and current by the 304`, async () => {
    const path = lab.path();
    versioned(lab, path);
    await lab.store(path);
    expectHit(await lab.get(path));
    await invalidate(lab, path);
    const cached = await lab.get(path, { fields: { 'Cache-Control': 'only-if-cached' } });
    assert.equal(cached.status, 504);
    const after = await lab.get(path, { fields: { 'If-None-Match': '"v1"' } });
    assert.equal(after.status, 304);
    expectRevalidated(after);
    assert.deepEqual([cacheStatus(after).fwd, cacheStatus(after).detail], ['stale', 'invalidated']);
    expectHit(await lab.get(path));
    assert.equal(lab.origin.requestsFor(path).length, 2);
  });

  test(`${how}: sent at once where the origin allows stale-while-revalidate, and refreshed behind`, async () => {
    const path = lab.path();
    const state = versioned(lab, path, { fields: { 'Cache-Control': 'max-age=600, stale-while-revalidate=60' } });
    await lab.store(path);
    await invalidate(lab, path);
    state.version = 2;
    const stale = await lab.get(path);
    expectHit(stale);
    expectWhole(stale, 200, 'version 1');
    assert.deepEqual([cacheStatus(stale).ttl, cacheStatus(stale).detail], ['0', 'invalidated']);
    await lab.origin.received(path, 2);
    await lab.edge.metricsWhen((metrics) => metrics.sum('freshet_fills_open') === 0, 'the end of the refresh');
    const after = await lab.get(path);
    expectHit(after);
    expectWhole(after, 200, 'version 2');
  });

  test(`${how}, and the origin fails: served stale, but not against must-revalidate`, async () => {
    for (const [value, status] of [['max-age=600', 200], ['max-age=600, must-revalidate', 503]]) {
      const path = lab.path();
      const state = versioned(lab, path, { fields: { 'Cache-Control': value } });
      await lab.store(path);
      await invalidate(lab, path);
      state.status = 503;
      const answer = await lab.get(path);
      assert.equal(answer.status, status, answer.head);
      state.status = 200;
      const after = await lab.get(path);
      expectRevalidated(after);
      expectHit(await lab.get(path));
    }
  });

  test(`${how} while it is validated: the 304 may be older than what the purge is about`, async () => {
    const path = lab.path();
    const state = versioned(lab, path, { fields: { 'Cache-Control': 'max-age=600' } });
    await lab.store(path);
    await invalidate(lab, path);
    const held = state.held = gate();
    const client = await ask(lab, path);
    await lab.origin.received(path, 2);
    await invalidate(lab, path);
    state.held = null;
    held.open();
    expectWhole(await client.response(), 200, 'version 1');
    const after = await lab.get(path);
    expectRevalidated(after);
    expectHit(await lab.get(path));
    assert.equal(lab.origin.requestsFor(path).length, 3);
  });
}

test('slices: a transfer goes on with the version it began with, the next request asks for the head anew', async (t) => {
  const slice = 64 * 1024;
  const own = await ownLab(t, { settings: { 'cache.slice_above': '1M', 'cache.slice_size': '64K' } });
  const body = Buffer.alloc(2 * 1024 * 1024, 'slices ');
  let held = null;
  own.origin.on('/s', async (request, reply) => {
    const all = { ...fresh, ...tagged('/s'), ETag: '"1"' };
    request.connection.socket.on('error', () => {});
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.field('range') ?? '')?.slice(1).map(Number);
    if (!range) return reply.send(200, all, body);
    if (held && range[0] >= 8 * slice) await held.opened;
    return reply.send(206, { ...all, 'Content-Range': `bytes ${range[0]}-${range[1]}/${body.length}` }, body.subarray(range[0], range[1] + 1));
  });
  await own.get('/s', { fields: { Range: 'bytes=0-9' } });
  const heads = () => own.origin.requestsFor('/s').filter((request) => !request.has('if-range')).length;
  assert.equal(heads(), 1);
  held = gate();
  const client = await own.connect();
  const begun = await client.bodyUntil(await client.request('/s').responseHead(), 'slices ');
  await purge(own, '/', { 'Surrogate-Key': 't/s' });
  held.open();
  const whole = await client.finishBody(begun);
  assert.ok(whole.complete && whole.body.equals(body));
  assert.equal(heads(), 1);
  const after = await own.get('/s', { fields: { Range: 'bytes=0-9' } });
  assert.equal(after.status, 206);
  expectForwarded(after);
  assert.equal(heads(), 2);
});
