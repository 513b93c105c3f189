// The client's conditions (RFC 9110 section 13) before nginx and Express, which evaluate conditions themselves.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { Demo } from '../../support/demo.mjs';
import { Edge } from '../../support/edge.mjs';
import { expectBodyless, expectForwarded, expectHit, expectWhole } from '../../support/expect.mjs';
import { Nginx } from '../../support/nginx.mjs';

const modified = new Date(Date.UTC(2024, 0, 1));
const earlier = new Date(Date.UTC(2023, 0, 1)).toUTCString();

let nginx;
let edge;
let demo;
let demoEdge;
let files = 0;
let target;

before(async () => {
  nginx = await Nginx.start({ server: (n) => `root ${n.prefix}/www; etag on; add_header Cache-Control "max-age=600";` });
  edge = await Edge.start({ origin: nginx.url });
  demo = await Demo.start();
  demoEdge = await Edge.start({ origin: demo.url });
});
after(async () => {
  await edge?.stop();
  await nginx?.stop();
  await demoEdge?.stop();
  await demo?.stop();
});
beforeEach(async () => {
  target = `/page-${++files}.txt`;
  nginx.write(target, '0123456789', modified);
  await demo.forget();
});

const seen = (n) => nginx.logged((record) => record.uri === target, n);
// What nginx itself says of the file.
const direct = async () => (await fetch(`${nginx.url}${target}`)).headers;

test('nginx: a condition on a miss is withheld, answered 304, and the whole is stored for the next', async () => {
  const etag = (await direct()).get('etag');
  expectBodyless(await edge.get(target, { fields: { 'If-None-Match': `"other", ${etag}` } }), 304);
  const next = await edge.get(target);
  expectHit(next);
  expectWhole(next, 200, '0123456789');
  const [, record] = await seen(2);
  assert.deepEqual([record.status, record.inm, record.bytes], [200, '', 10]);
  expectBodyless(await edge.get(target, { fields: { 'If-Modified-Since': modified.toUTCString() } }), 304);
  expectWhole(await edge.get(target, { fields: { 'If-Modified-Since': earlier } }), 200, '0123456789');
  assert.equal((await seen(2)).length, 2);
});

test('nginx: If-Match and If-Unmodified-Since are nginx\'s to answer', async () => {
  const etag = (await edge.get(target)).field('etag');
  for (const [fields, status] of [
    [{ 'If-Match': etag }, 200], [{ 'If-Match': '"other"' }, 412],
    [{ 'If-Unmodified-Since': modified.toUTCString() }, 200], [{ 'If-Unmodified-Since': earlier }, 412],
  ]) {
    const response = await edge.get(target, { fields });
    expectForwarded(response);
    assert.equal(response.status, status, JSON.stringify(fields));
  }
  const records = await seen(5);
  assert.deepEqual(records.map((record) => record.status), [200, 200, 412, 200, 412]);
  assert.ok(records.every((record) => record.inm === '' && record.ims === ''));
});

test('nginx: If-Range against the stored response', async () => {
  const etag = (await edge.get(target)).field('etag');
  const part = (condition) => edge.get(target, { fields: { Range: 'bytes=2-4', 'If-Range': condition } });
  expectWhole(await part(etag), 206, '234');
  expectWhole(await part(`W/${etag}`), 200, '0123456789');
  expectWhole(await part('"other"'), 200, '0123456789');
  expectWhole(await part(modified.toUTCString()), 206, '234');
  expectWhole(await part(earlier), 200, '0123456789');
  assert.equal((await seen(1)).length, 1);
});

test('Express: a condition on a miss, on a hit, and with a list', async () => {
  const etag = (await fetch(`${demo.url}/api/data`)).headers.get('etag');
  await demo.forget();
  expectBodyless(await demoEdge.get('/api/data', { fields: { 'If-None-Match': etag } }), 304);
  expectHit(await demoEdge.get('/api/data'));
  for (const condition of [etag, `W/${etag}`, `"a", ${etag}`, '*']) {
    expectBodyless(await demoEdge.get('/api/data', { fields: { 'If-None-Match': condition } }), 304);
  }
  assert.equal((await demoEdge.get('/api/data', { fields: { 'If-None-Match': '"a"' } })).status, 200);
  assert.deepEqual(await demo.seen(), { 'GET /api/data': { 200: 1 } });
});

test('Express: each client\'s own condition on a response that is validated for each use', async () => {
  const etag = (await demoEdge.get('/news')).field('etag');
  expectBodyless(await demoEdge.get('/news', { fields: { 'If-None-Match': etag } }), 304);
  const other = await demoEdge.get('/news', { fields: { 'If-None-Match': '"other"' } });
  assert.equal(other.status, 200);
  assert.equal(other.complete, true);
  assert.deepEqual(await demo.seen(), { 'GET /news': { 200: 1, 304: 2 } });
});
