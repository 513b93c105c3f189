// Tags: the names by which stored responses are purged together, from Surrogate-Key, Cache-Tag and Cache-Groups.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectRevalidated } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';

const lab = sharedLab();
const tagged = { 'Cache-Control': 'max-age=60', ETag: '"1"', 'Surrogate-Key': 'a b', 'Cache-Tag': 'c,d', 'X-Tags': 'e' };

test('the fields of tags go on to clients: another cache may stand behind this one', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: tagged, body: 'x' });
  for (const answer of [await lab.get(path), await lab.get(path)]) {
    assert.equal(answer.field('surrogate-key'), 'a b');
    assert.equal(answer.field('cache-tag'), 'c,d');
  }
  expectHit(await lab.get(path));
});

test('cache.forward_tags = false: clients get none of those in cache.tag_fields, nor of what is passed on', async (t) => {
  const own = await ownLab(t, { settings: { 'cache.forward_tags': 'false', 'cache.tag_fields': 'Cache-Tag,X-Tags' } });
  own.origin.on('/', { fields: tagged, body: 'x' });
  own.origin.on('/private', { fields: { ...tagged, 'Cache-Control': 'private' }, body: 'x' });
  const part = { fields: { Range: 'bytes=0-0' } };
  for (const answer of [await own.get('/'), await own.get('/'), await own.get('/', part), await own.get('/', { method: 'HEAD' }), await own.get('/private')]) {
    assert.deepEqual(['cache-tag', 'x-tags', 'surrogate-key', 'etag'].map((name) => answer.field(name)), [undefined, undefined, 'a b', '"1"']);
  }
  expectHit(await own.get('/'));
});

async function purge(tags, fields = {}) {
  const response = await lab.get('/', { method: 'PURGE', fields: { 'Surrogate-Key': tags, ...fields } });
  assert.equal(response.status, 200, response.head);
}

// A path whose responses have these fields, stored.
async function stored(fields) {
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60', ...fields }, body: 'x' });
  await lab.store(path);
  expectHit(await lab.get(path));
  return path;
}

test('each of the three fields names what a purge of a tag hits; the others stay', async () => {
  const hit = [await stored({ 'Surrogate-Key': 'one two' }), await stored({ 'Cache-Tag': 'x, two' }), await stored({ 'Cache-Groups': '"two"' }),
    await stored({ 'Surrogate-Key': 'one', 'Cache-Tag': 'two' })];
  const kept = [await stored({ 'Surrogate-Key': 'Two twofold' }), await stored({ 'Cache-Tag': 'one' }), await stored({ 'X-Tags': 'two' })];
  await purge('two');
  for (const path of hit) expectForwarded(await lab.get(path));
  for (const path of kept) expectHit(await lab.get(path));
});

test('more tags than are kept: the purge of any tag hits it, hard or soft', async () => {
  const many = Array.from({ length: 1001 }, (_, i) => `m${i}`).join(' ');
  const path = await stored({ 'Surrogate-Key': many, ETag: '"1"' });
  await purge('unrelated');
  expectForwarded(await lab.get(path), 'uri-miss');
  await purge('unrelated', { 'Soft-Purge': '1' });
  expectForwarded(await lab.get(path), 'stale');
});

test('a 304 that names other tags moves the stored response to them', async () => {
  const path = lab.path();
  let key = 'before';
  lab.origin.on(path, async (request, reply) => {
    const all = { 'Cache-Control': 'max-age=60', ETag: '"1"', 'Surrogate-Key': key };
    reply.send(request.has('if-none-match') ? 304 : 200, all, request.has('if-none-match') ? '' : 'x');
  });
  await lab.store(path);
  await purge('before', { 'Soft-Purge': '1' });
  key = 'after';
  expectRevalidated(await lab.get(path));
  await purge('before');
  expectHit(await lab.get(path));
  await purge('after');
  expectForwarded(await lab.get(path));
});
