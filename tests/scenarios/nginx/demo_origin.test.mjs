// The demo origin (Express) through the edge: one route for each kind of answer. What reached it is asked from it.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { Demo } from '../../support/demo.mjs';
import { Edge } from '../../support/edge.mjs';
import { expectBodyless, expectForwarded, expectHit, expectMiss, expectRevalidated, expectWhole } from '../../support/expect.mjs';

let demo;
let edge;
before(async () => {
  demo = await Demo.start();
  edge = await Edge.start({ origin: demo.url });
});
after(async () => {
  await edge?.stop();
  await demo?.stop();
});
beforeEach(() => demo.forget());

test('/api/data: MISS, HIT, 304', async () => {
  const miss = await edge.get('/api/data');
  expectMiss(miss);
  assert.equal(miss.complete, true);
  assert.equal(JSON.parse(miss.text).name, 'freshet');
  const hit = await edge.get('/api/data');
  expectHit(hit);
  expectWhole(hit, 200, miss.body);
  expectBodyless(await edge.get('/api/data', { fields: { 'If-None-Match': miss.field('etag') } }), 304);
  assert.deepEqual(await demo.seen(), { 'GET /api/data': { 200: 1 } });
});

test('/page: fresh for an hour', async () => {
  await edge.get('/page');
  for (let i = 0; i < 3; ++i) expectHit(await edge.get('/page'));
  assert.deepEqual(await demo.seen(), { 'GET /page': { 200: 1 } });
});

test('/news: no-cache, each use costs one conditional request with a 304', async () => {
  const first = await edge.get('/news');
  for (let i = 0; i < 3; ++i) {
    const response = await edge.get('/news');
    expectRevalidated(response);
    expectWhole(response, 200, first.body);
  }
  assert.deepEqual(await demo.seen(), { 'GET /news': { 200: 1, 304: 3 } });
});

test('/plain: neither validator nor freshness, each use asks', async () => {
  for (let i = 0; i < 2; ++i) expectForwarded(await edge.get('/plain'));
});

test('/static: Last-Modified alone is validated with If-Modified-Since', async () => {
  const stored = await edge.get('/static/style.css');
  assert.equal(stored.has('etag'), false);
  // Not no-cache: Express answers a request that carries it without a look at its conditions.
  const again = await edge.get('/static/style.css', { fields: { 'Cache-Control': 'max-age=0' } });
  expectWhole(again, 200, stored.body);
  expectBodyless(await edge.get('/static/style.css', { fields: { 'If-Modified-Since': stored.field('last-modified') } }), 304);
  assert.deepEqual(await demo.seen(), { 'GET /static/style.css': { 200: 1, 304: 1 } });
});

for (const status of [301, 302, 307, 308]) {
  test(`/redirect/${status} passes with its Location`, async () => {
    for (let i = 0; i < 2; ++i) {
      const response = await edge.get(`/redirect/${status}`);
      assert.equal(response.status, status);
      assert.equal(response.field('location'), '/page');
      assert.equal(response.complete, true);
    }
  });
}

test('/counter: POST changes it, and the next GET shows that', async () => {
  const count = async () => JSON.parse((await edge.get('/counter')).text).count;
  const before = await count();
  expectHit(await edge.get('/counter'));
  const posted = await edge.get('/counter', { method: 'POST', body: '' });
  assert.deepEqual(JSON.parse(posted.text), { count: before + 1 });
  assert.equal(await count(), before + 1);
  expectHit(await edge.get('/counter'));
});

test('/slow: twenty clients at once are one request', async () => {
  const responses = await Promise.all(Array.from({ length: 20 }, () => edge.get('/slow?ms=300')));
  for (const response of responses) expectWhole(response, 200, 'This took 300 ms to make.\n');
  assert.deepEqual(await demo.seen(), { 'GET /slow': { 200: 1 } });
});
