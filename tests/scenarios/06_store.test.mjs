// What is stored and reused (RFC 9111 sections 3 and 4), as a client sees it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectBodyless, expectForwarded, expectHit, expectMiss, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';

const lab = sharedLab();

// The n-th answer of the origin for a path says so.
function counting(path, fields, { status = 200 } = {}) {
  let n = 0;
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    reply.send(status, fields, `${path} ${++n}`);
  });
}

// Two requests; the second is answered from the store, or not.
async function expectStored(fields, options = {}) {
  const path = lab.path();
  counting(path, fields, options);
  expectForwarded(await lab.get(path, options));
  const second = await lab.get(path, options);
  expectHit(second);
  expectWhole(second, options.status ?? 200, `${path} 1`);
  assert.equal(lab.origin.requestsFor(path).length, 1);
}

async function expectNotStored(fields, options = {}) {
  const path = lab.path();
  counting(path, fields, options);
  expectForwarded(await lab.get(path, options));
  const second = await lab.get(path, options);
  expectForwarded(second);
  expectWhole(second, options.status ?? 200, `${path} 2`);
}

test('MISS, then HIT with Age and Cache-Status', async () => {
  const path = lab.path();
  counting(path, { 'Cache-Control': 'max-age=60', 'X-Field': 'kept' });
  const first = await lab.get(path);
  expectMiss(first);
  expectWhole(first, 200, `${path} 1`);
  assert.equal(first.has('age'), false);
  const second = await lab.get(path);
  expectHit(second);
  expectWhole(second, 200, `${path} 1`);
  assert.match(second.field('age'), /^\d+$/);
  assert.equal(second.field('x-field'), 'kept');
  assert.equal(second.field('date'), first.field('date'));
  assert.equal(second.field('content-length'), String(second.body.length));
  const ttl = Number(cacheStatus(second).ttl);
  assert.ok(ttl > 0 && ttl <= 60, `ttl is ${ttl}`);
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('each response has exactly one Cache-Status', async () => {
  const path = lab.path();
  counting(path, { 'Cache-Control': 'max-age=60', 'Cache-Status': 'inner; hit' });
  for (let i = 0; i < 2; ++i) {
    const value = (await lab.get(path)).field('cache-status');
    assert.match(value, /^inner; ?hit, ?freshet\b/, 'the edge adds itself after the caches before it (RFC 9211 section 2)');
    assert.equal(value.match(/freshet/g).length, 1);
  }
});

test('an Age that the origin sent is counted on', async () => {
  const path = lab.path();
  counting(path, { 'Cache-Control': 'max-age=600', Age: '100' });
  await lab.store(path);
  const age = Number((await lab.get(path)).field('age'));
  assert.ok(age >= 100 && age < 600, `Age is ${age}`);
});

test('a large body is stored whole and served whole', async () => {
  const path = lab.path();
  const body = Buffer.alloc(3 * 1024 * 1024 + 17);
  for (let i = 0; i < body.length; i += 4) body.writeUInt32BE(Math.imul(i, 2654435761) >>> 0, Math.min(i, body.length - 4));
  lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60' }, body });
  expectWhole(await lab.get(path), 200, body);
  const second = await lab.get(path);
  expectHit(second);
  expectWhole(second, 200, body);
});

test('a chunked response is stored, and served with its length', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.head(200, { 'Transfer-Encoding': 'chunked', 'Cache-Control': 'max-age=60' });
    reply.chunk('one ').chunk('two').lastChunk();
  });
  await lab.store(path);
  const second = await lab.get(path);
  expectHit(second);
  expectWhole(second, 200, 'one two');
  assert.equal(second.field('content-length'), '7');
});

test('a chunked response is stored when its origin connection closes after the last chunk', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.head(200, { 'Transfer-Encoding': 'chunked', 'Cache-Control': 'max-age=60', Connection: 'close' }).chunk('all').lastChunk().end();
  });
  await lab.store(path);
  expectHit(await lab.get(path));
});

for (const [title, fields, options] of [
  ['max-age', { 'Cache-Control': 'max-age=60' }],
  ['s-maxage over max-age', { 'Cache-Control': 'max-age=0, s-maxage=60' }],
  ['Expires', { Expires: new Date(Date.now() + 3_600_000).toUTCString() }],
  ['max-age over Expires', { 'Cache-Control': 'max-age=60', Expires: new Date(0).toUTCString() }],
  ['a directive in capitals', { 'Cache-Control': 'MAX-AGE=60' }],
  ['an unknown directive beside it', { 'Cache-Control': 'x-new="a, b", max-age=60' }],
  ['a 404 with max-age', { 'Cache-Control': 'max-age=60' }, { status: 404 }],
  ['a 301 with max-age', { 'Cache-Control': 'max-age=60', Location: '/' }, { status: 301 }],
  ['a 500 with max-age', { 'Cache-Control': 'max-age=60' }, { status: 500 }],
  ['public with Set-Cookie', { 'Cache-Control': 'public, max-age=60', 'Set-Cookie': 'a=b' }],
]) {
  test(`stored: ${title}`, () => expectStored(fields, options));
}

for (const [title, fields, options] of [
  ['no-store', { 'Cache-Control': 'no-store' }],
  ['no-store with max-age', { 'Cache-Control': 'max-age=60, no-store' }],
  ['private', { 'Cache-Control': 'private, max-age=60' }],
  ['Set-Cookie without public, by default', { 'Cache-Control': 'max-age=60', 'Set-Cookie': 'a=b' }],
  ['Vary: *', { 'Cache-Control': 'max-age=60', Vary: '*' }],
  ['the answer to POST', { 'Cache-Control': 'max-age=60' }, { method: 'POST', body: 'x' }],
  ['the answer to an unknown method', { 'Cache-Control': 'max-age=60' }, { method: 'REPORT' }],
  ['the answer to a request with Authorization', { 'Cache-Control': 'max-age=60' }, { fields: { Authorization: 'Basic eDp5' } }],
  ['a 302 without freshness', { Location: '/' }, { status: 302 }],
  ['a request with no-store', { 'Cache-Control': 'max-age=60' }, { fields: { 'Cache-Control': 'no-store' } }],
]) {
  test(`not stored: ${title}`, () => expectNotStored(fields, options));
}

for (const directive of ['public', 's-maxage=60', 'must-revalidate, max-age=60']) {
  test(`${directive} makes the answer to a request with Authorization storable (RFC 9111 section 3.5)`, async () => {
    await expectStored({ 'Cache-Control': directive.includes('age') ? directive : `${directive}, max-age=60` }, { fields: { Authorization: 'Basic eDp5' } });
  });
}

test('a response stored for one Authorization without leave is not given to another', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => reply.send(200, { 'Cache-Control': 'max-age=60', ETag: '"e"' }, request.field('authorization') ?? 'nobody'));
  for (const who of ['Bearer a', 'Bearer b']) expectWhole(await lab.get(path, { fields: { Authorization: who } }), 200, who);
  expectWhole(await lab.get(path), 200, 'nobody');
});

test('Vary: each variant is stored and selected by its request fields', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    reply.send(200, { 'Cache-Control': 'max-age=60', Vary: 'Accept-Language' }, request.field('accept-language') ?? 'none');
  });
  for (const round of [expectForwarded, expectHit]) {
    for (const language of ['de', 'fr']) {
      const response = await lab.get(path, { fields: { 'Accept-Language': language } });
      round(response);
      expectWhole(response, 200, language);
    }
    const without = await lab.get(path);
    round(without);
    expectWhole(without, 200, 'none');
  }
  assert.equal(lab.origin.requestsFor(path).length, 3);
});

test('Vary on two fields needs both to match', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    reply.send(200, { 'Cache-Control': 'max-age=60', Vary: 'X-A, X-B' }, `${request.field('x-a')} ${request.field('x-b')}`);
  });
  const ask = (a, b) => lab.get(path, { fields: { 'X-A': a, 'X-B': b } });
  expectForwarded(await ask('1', '1'));
  expectForwarded(await ask('1', '2'));
  expectHit(await ask('1', '1'));
  expectWhole(await ask('1', '2'), 200, '1 2');
});

test('G1: HEAD is answered from a stored GET, with its Content-Length and no body', async () => {
  const path = lab.path();
  counting(path, { 'Cache-Control': 'max-age=60' });
  const stored = await lab.store(path);
  const client = await lab.connect();
  const head = await client.request(path, { method: 'HEAD' }).response();
  expectHit(head);
  expectBodyless(head, 200);
  assert.equal(head.field('content-length'), String(stored.body.length));
  expectHit(await client.request(path).response());
});

test('HEAD on a miss goes out as HEAD, and a GET after it is not answered from it', async () => {
  const path = lab.path();
  counting(path, { 'Cache-Control': 'max-age=60' });
  expectBodyless(await lab.get(path, { method: 'HEAD' }), 200);
  const get = await lab.get(path);
  expectForwarded(get);
  assert.equal(get.complete, true);
  assert.notEqual(get.body.length, 0);
  assert.deepEqual(lab.origin.requestsFor(path).map((r) => r.method), ['HEAD', 'GET']);
});

test('a 204 and a 404 without a body are stored and served without a body', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => reply.send(204, { 'Cache-Control': 'max-age=60' }));
  await lab.get(path);
  const client = await lab.connect();
  const response = await client.request(path).response();
  expectHit(response);
  expectBodyless(response, 204);
  expectHit(await client.request(path).response());
});

test('a GET with a body does not use the store', async () => {
  const path = lab.path();
  counting(path, { 'Cache-Control': 'max-age=60' });
  await lab.store(path);
  expectForwarded(await lab.get(path, { body: 'query' }));
});

test('a part (206) is not served as the whole', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (request.has('range')) reply.send(206, { 'Cache-Control': 'max-age=60', 'Content-Range': 'bytes 0-3/10' }, '0123');
    else reply.send(200, { 'Cache-Control': 'max-age=60' }, '0123456789');
  });
  const part = await lab.get(path, { fields: { Range: 'bytes=0-3' } });
  assert.ok([200, 206].includes(part.status));
  expectWhole(await lab.get(path), 200, '0123456789');
});

test('a body larger than cache.max_object passes whole and is not stored', async (t) => {
  const own = await ownLab(t, { settings: { 'cache.max_object': '64KiB' } });
  const body = 'z'.repeat(200_000);
  own.origin.on('/length', { fields: { 'Cache-Control': 'max-age=60' }, body });
  own.origin.on('/chunked', (_, reply) => {
    reply.head(200, { 'Transfer-Encoding': 'chunked', 'Cache-Control': 'max-age=60' });
    for (let i = 0; i < 10; ++i) reply.chunk(body.slice(0, 20_000));
    reply.lastChunk();
  });
  for (const path of ['/length', '/chunked']) {
    for (let i = 0; i < 2; ++i) {
      const response = await own.get(path);
      expectForwarded(response);
      expectWhole(response, 200, body);
    }
  }
});

test('a 416 to one client\'s Range is not served to a client without Range, whatever freshness it states', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (request.has('range')) reply.send(416, { 'Cache-Control': 'public, max-age=60', 'Content-Range': 'bytes */10' });
    else reply.send(200, { 'Cache-Control': 'public, max-age=60' }, '0123456789');
  });
  assert.equal((await lab.get(path, { fields: { Range: 'bytes=100-', Authorization: 'x' } })).status, 416);
  expectWhole(await lab.get(path), 200, '0123456789');
});
