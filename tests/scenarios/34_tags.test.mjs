// Tags: the names by which stored responses are purged together, from Surrogate-Key, Cache-Tag and Cache-Groups.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectHit } from '../support/expect.mjs';
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
