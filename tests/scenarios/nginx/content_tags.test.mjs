// Files of an nginx that gives neither ETag nor Last-Modified: the edge's own entity tags make up for it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Edge } from '../../support/edge.mjs';
import { expectBodyless, expectWhole } from '../../support/expect.mjs';
import { Nginx } from '../../support/nginx.mjs';

let nginx;
let edge;
before(async () => {
  nginx = await Nginx.start({
    server: (n) => `root ${n.prefix}/www; etag off; if_modified_since off; add_header Last-Modified ""; add_header Cache-Control no-cache;`,
  });
  edge = await Edge.start({ origin: nginx.url });
});
after(async () => {
  await edge?.stop();
  await nginx?.stop();
});

test('a file that does not change costs its clients no byte, and the store none; one byte changed is a new tag at once', async () => {
  nginx.write('/page.html', 'version 1');
  const first = await edge.get('/page.html');
  expectWhole(first, 200, 'version 1');
  const tag = first.field('etag');
  assert.match(tag, /^"fr1-/);
  assert.equal(first.has('last-modified'), false);
  const stored = (await edge.metrics()).sum('freshet_stored_total');
  for (let i = 0; i < 5; ++i) expectBodyless(await edge.get('/page.html', { fields: { 'If-None-Match': tag } }), 304);
  assert.equal((await edge.metrics()).sum('freshet_stored_total'), stored);
  nginx.write('/page.html', 'version 2');
  const second = await edge.get('/page.html', { fields: { 'If-None-Match': tag } });
  expectWhole(second, 200, 'version 2');
  assert.notEqual(second.field('etag'), tag);
  const records = await nginx.logged((record) => record.uri === '/page.html', 7);
  for (const record of records) assert.deepEqual([record.status, record.inm, record.ims], [200, '', '']);
});
