// The origin is gone, and comes back (RFC 5861 section 4, RFC 9111 section 4.2.4).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectRevalidated, expectWhole } from '../support/expect.mjs';
import { ownLab } from '../support/lab.mjs';

const staleWith = (control) => ({ 'Cache-Control': `max-age=60${control}`, Age: '100', ETag: '"v1"' });

// A lab whose origin has answered `fields` for '/' once, and revalidates with 304.
async function labWith(t, fields, options) {
  const lab = await ownLab(t, options);
  lab.origin.on('/', (request, reply) => {
    if (request.field('if-none-match') === '"v1"') reply.send(304, { ETag: '"v1"', 'Cache-Control': 'max-age=60' });
    else reply.send(200, fields, 'good');
  });
  await lab.store('/');
  return lab;
}

test('G8: stale-if-error: the origin stopped, the stale response is served; the origin back, it is revalidated', async (t) => {
  const lab = await labWith(t, staleWith(', stale-if-error=600'));
  await lab.origin.down();
  for (let i = 0; i < 3; ++i) expectWhole(await lab.get('/'), 200, 'good');
  await lab.origin.listen();
  const response = await lab.get('/');
  expectRevalidated(response);
  expectWhole(response, 200, 'good');
  expectHit(await lab.get('/'));
});

test('stale-if-error covers 500, 502, 503 and 504 of the origin', async (t) => {
  const lab = await ownLab(t);
  for (const status of [500, 502, 503, 504]) {
    const path = `/${status}`;
    lab.origin.on(path, (_, reply) => {
      if (lab.origin.requestsFor(path).length === 1) reply.send(200, staleWith(', stale-if-error=600'), 'good');
      else reply.send(status, { 'Cache-Control': 'no-store' }, 'bad');
    });
    await lab.store(path);
    expectWhole(await lab.get(path), 200, 'good');
  }
});

for (const control of [', must-revalidate', ', proxy-revalidate', ', must-revalidate, stale-if-error=600', ', s-maxage=60']) {
  test(`"max-age=60${control}" forbids stale responses: the origin stopped, 504 (RFC 9111 section 5.2.2.2)`, async (t) => {
    const lab = await labWith(t, staleWith(control), { settings: { 'cache.stale_if_error': '600s' } });
    await lab.origin.down();
    assert.equal((await lab.get('/')).status, 504);
  });
}

test('no-cache is not served without validation, also while the origin is down', async (t) => {
  const lab = await labWith(t, { 'Cache-Control': 'no-cache', ETag: '"v1"' }, { settings: { 'cache.stale_if_error': '600s' } });
  await lab.origin.down();
  assert.equal((await lab.get('/')).status, 504);
});

test('past stale-if-error the error is served', async (t) => {
  const lab = await labWith(t, staleWith(', stale-if-error=10'));
  await lab.origin.down();
  assert.equal((await lab.get('/')).status, 502);
});

test('a fresh response is served while the origin is down, a miss is 502', async (t) => {
  const lab = await labWith(t, { 'Cache-Control': 'max-age=60', ETag: '"v1"' });
  await lab.origin.down();
  expectHit(await lab.get('/'));
  const miss = await lab.get('/never-seen');
  assert.equal(miss.status, 502);
  assert.equal(miss.complete, true);
});

test('an error that the edge made is not stored: the origin back, the next request gets the response', async (t) => {
  const lab = await ownLab(t);
  lab.origin.on('/', { fields: { 'Cache-Control': 'max-age=60' }, body: 'good' });
  await lab.origin.down();
  assert.equal((await lab.get('/')).status, 502);
  await lab.origin.listen();
  const response = await lab.get('/');
  expectForwarded(response);
  expectWhole(response, 200, 'good');
});

test('the connection to the client survives an origin that is down', async (t) => {
  const lab = await labWith(t, { 'Cache-Control': 'max-age=60', ETag: '"v1"' });
  await lab.origin.down();
  const client = await lab.connect();
  assert.equal((await client.request('/a').response()).status, 502);
  expectWhole(await client.request('/').response(), 200, 'good');
});
