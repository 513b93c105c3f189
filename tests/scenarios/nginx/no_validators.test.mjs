// An nginx that gives no validator, with responses that arrive stale: short ones, and long ones that stream before their tag is known.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { Edge } from '../../support/edge.mjs';
import { expectBodyless, expectWhole } from '../../support/expect.mjs';
import { Nginx } from '../../support/nginx.mjs';

const ownTag = /^"fr1-/;

let nginx;
let edge;
let files = 0;
let target;

before(async () => {
  nginx = await Nginx.start({
    server: (n) => `
      root ${n.prefix}/www;
      etag off;
      add_header Last-Modified "";
      add_header Cache-Control "max-age=60";
      add_header Age "100";`,
  });
  edge = await Edge.start({ origin: nginx.url });
});
after(async () => {
  await edge?.stop();
  await nginx?.stop();
});
beforeEach(() => { target = `/page-${++files}.txt`; });

// A long body streams to the first client before its tag is known; whoever takes a stale response sees the tag.
const stored = () => edge.get(target, { fields: { 'Cache-Control': 'max-stale' } });
const seen = (n) => nginx.logged((record) => record.uri === target, n);

for (const size of [10, 300_000]) {
  test(`nginx, ${size} bytes: each use is stale, the content is equal, clients that hold it get 304`, async () => {
    nginx.write(target, 'a'.repeat(size));
    expectWhole(await edge.get(target), 200, 'a'.repeat(size));
    const tagged = await stored();
    expectWhole(tagged, 200, 'a'.repeat(size));
    const tag = tagged.field('etag');
    assert.match(tag, ownTag);
    for (let i = 0; i < 5; ++i) {
      const response = await edge.get(target, { fields: { 'If-None-Match': tag } });
      expectBodyless(response, 304);
      assert.equal(response.field('etag'), tag);
    }
    const records = await seen(6);
    assert.ok(records.every((record) => record.status === 200 && record.inm === '' && record.ims === ''), 'the origin sees no tag of the edge\'s');

    nginx.write(target, `${'a'.repeat(size - 1)}b`);
    expectWhole(await edge.get(target, { fields: { 'If-None-Match': tag } }), 200, `${'a'.repeat(size - 1)}b`);
    const next = await stored();
    expectWhole(next, 200, `${'a'.repeat(size - 1)}b`);
    assert.match(next.field('etag'), ownTag);
    assert.notEqual(next.field('etag'), tag);
  });
}

test('an unsafe request whose If-Match names the edge\'s own tags alone is refused here', async () => {
  nginx.write(target, 'content');
  await edge.get(target);
  const tag = (await edge.get(target)).field('etag');
  const response = await edge.get(target, { method: 'PUT', body: 'new', fields: { 'If-Match': tag } });
  assert.equal(response.status, 412);
  assert.ok((await seen(2)).every((record) => record.method === 'GET'));
});
