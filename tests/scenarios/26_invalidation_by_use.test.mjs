// What an unsafe request invalidates beside its target: Location and Content-Location (RFC 9111 section 4.4), the cache
// groups that its answer names (RFC 9875); what Clear-Site-Data does not; and responses whose key has more than the URI.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const fresh = { 'Cache-Control': 'max-age=60' };

// `count` paths whose answers are of these groups, stored.
async function stored(count, groups, options) {
  const paths = Array.from({ length: count }, () => lab.path());
  for (const path of paths) {
    lab.origin.on(path, { fields: { ...fresh, ...(groups && { 'Cache-Groups': groups }) }, body: path });
    await lab.store(path, options);
    expectHit(await lab.get(path, options));
  }
  return paths;
}

// A request whose answer has these fields.
async function act(fields, { method = 'POST', status = 200, ...options } = {}) {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => { await request.whole(); reply.send(status, fields, ''); });
  const response = await lab.get(path, { method, body: '', ...options });
  assert.equal(response.status, status);
  return path;
}

test('Cache-Group-Invalidation: all of the named groups are gone, before the answer; others stay', async () => {
  const named = await stored(3, '"one", "two"');
  const also = await stored(1, '"three"');
  const others = await stored(2, '"four"');
  const none = await stored(1);
  await act({ 'Cache-Group-Invalidation': '"one", "three"' });
  for (const path of [...named, ...also]) {
    const after = await lab.get(path);
    expectForwarded(after);
    expectWhole(after, 200, path);
    expectHit(await lab.get(path));
  }
  for (const path of [...others, ...none]) expectHit(await lab.get(path));
});

test('group names are compared byte for byte; what is no list of strings names none', async () => {
  const upper = await stored(1, '"Group"');
  const token = await stored(1, 'token');
  for (const value of ['"group"', 'Group', '"Group', '"Group", token', '("Group")', 'token']) await act({ 'Cache-Group-Invalidation': value });
  for (const path of [...upper, ...token]) expectHit(await lab.get(path));
  await act([['Cache-Group-Invalidation', '"a"'], ['Cache-Group-Invalidation', '"Group";x=1']]);
  expectForwarded(await lab.get(upper[0]));
});

test('a safe method and an error invalidate no group', async () => {
  const [path] = await stored(1, '"safe"');
  const invalidation = { 'Cache-Group-Invalidation': '"safe"' };
  await act(invalidation, { method: 'GET', body: undefined });
  await act(invalidation, { method: 'OPTIONS', body: undefined });
  await act(invalidation, { status: 500 });
  await act(invalidation, { status: 404 });
  expectHit(await lab.get(path));
  await act(invalidation, { method: 'DELETE', status: 204, body: undefined });
  expectForwarded(await lab.get(path));
});

test('a group belongs to its origin: another host\'s group of that name stays', async () => {
  const [path] = await stored(1, '"mine"', { host: 'one.example' });
  await act({ 'Cache-Group-Invalidation': '"mine"' }, { host: 'two.example' });
  expectHit(await lab.get(path, { host: 'one.example' }));
  await act({ 'Cache-Group-Invalidation': '"mine"' }, { host: 'one.example' });
  expectForwarded(await lab.get(path, { host: 'one.example' }));
});

test('a response of the group that is on its way when the group is invalidated is not served to later clients', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  let version = 1;
  lab.origin.on(path, async (_, reply) => {
    if (version === 2) return reply.send(200, { ...fresh, 'Cache-Groups': '"g"' }, 'new');
    reply.head(200, { ...fresh, 'Cache-Groups': '"g"', 'Content-Length': '6' }).write('old');
    await opened;
    return reply.write('old');
  });
  const early = await lab.connect();
  await early.bodyUntil(await early.request(path).responseHead(), 'old');
  version = 2;
  await act({ 'Cache-Group-Invalidation': '"g"' });
  const later = await lab.connect();
  later.request(path);
  expectWhole(await later.response(), 200, 'new');
  open();
  expectWhole(await lab.get(path), 200, 'new');
});

test('after a restart what a group\'s invalidation has removed stays removed, what it has not is there', async (t) => {
  const own = await ownLab(t);
  for (const [path, group] of [['/gone', '"x"'], ['/kept', '"y"']]) {
    own.origin.on(path, { fields: { ...fresh, 'Cache-Groups': group }, body: 'old' });
    await own.get(path);
    expectHit(await own.get(path));
  }
  own.origin.on('/act', async (request, reply) => { await request.whole(); reply.send(200, { 'Cache-Group-Invalidation': '"x"' }, ''); });
  await own.get('/act', { method: 'POST', body: '' });
  await own.edge.stopForRestart();
  await own.edge.spawn();
  const host = own.origin.requests[0].field('host');
  expectForwarded(await own.get('/gone', { host }));
  expectHit(await own.get('/kept', { host }));
});

test('Clear-Site-Data clears a browser, not the store, and reaches the browser', async () => {
  const [path] = await stored(1);
  const target = lab.path();
  lab.origin.on(target, async (request, reply) => { await request.whole(); reply.send(200, { 'Clear-Site-Data': '"cache", "cookies"' }, ''); });
  const response = await lab.get(target, { method: 'POST', body: '' });
  assert.equal(response.field('clear-site-data'), '"cache", "cookies"');
  expectHit(await lab.get(path));
});

test('where fields and cookies are in the key, all their values are invalidated with the target', async (t) => {
  const own = await ownLab(t, { settings: { 'cache.key_fields': 'X-Device', 'cache.key_cookies': 'tier' } });
  own.origin.otherwise(async (request, reply) => {
    await request.whole();
    reply.send(200, request.method === 'GET' ? fresh : { Location: '/there' }, 'x');
  });
  const asks = [{}, { 'X-Device': 'phone' }, { Cookie: 'tier=gold' }];
  for (const path of ['/here', '/there', '/elsewhere']) for (const fields of asks) await own.get(path, { fields });
  await own.get('/here', { method: 'POST', body: '', fields: { 'X-Device': 'desk' } });
  for (const fields of asks) {
    expectForwarded(await own.get('/here', { fields }));
    expectForwarded(await own.get('/there', { fields }));
    expectHit(await own.get('/elsewhere', { fields }));
  }
});
