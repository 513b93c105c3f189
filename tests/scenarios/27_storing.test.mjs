// What may be stored (RFC 9111 section 3), point by point.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';
import { storing } from '../support/reuse.mjs';

const lab = sharedLab();
const { stored, asked } = storing(lab);
const minute = { 'Cache-Control': 'max-age=60' };
// Ten days old: fresh for a day by heuristic, where the status has one.
const aged = { 'Last-Modified': new Date(Date.now() - 864_000_000).toUTCString() };

const byDefault = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
const explicitOnly = [201, 302, 303, 307, 400, 401, 403, 406, 409, 413, 415, 422, 429, 500, 502, 503, 504];

test(`by default, with a heuristic lifetime: ${byDefault.join(' ')} (RFC 9110 section 15.1)`, async () => {
  for (const status of byDefault) assert.match(cacheStatus((await stored(aged, { status })).first).stored.toString(), /true/, `${status}`);
});

test(`only with explicit freshness: ${explicitOnly.join(' ')}`, async () => {
  for (const status of explicitOnly) {
    await asked(aged, { status });
    await stored(minute, { status });
    await stored({ Expires: new Date(Date.now() + 600_000).toUTCString() }, { status });
  }
});

test('public gives any status a heuristic lifetime', async () => {
  for (const status of [302, 403, 500, 503]) await stored({ ...aged, 'Cache-Control': 'public' }, { status });
});

test('206, 304, 412 and 416 are answers to one request: never stored as the response', async () => {
  await asked({ ...minute, 'Content-Range': 'bytes */8' }, { status: 416, request: { Range: 'bytes=90-' } });
  await asked(minute, { status: 412 });
  const path = lab.path();
  lab.origin.on(path, { status: 206, fields: { ...minute, 'Content-Range': 'bytes 0-3/8' }, body: 'half' });
  assert.equal((await lab.get(path, { fields: { Range: 'bytes=0-3' } })).status, 206);
  lab.origin.on(path, { fields: minute, body: 'all of it' });
  expectWhole(await lab.get(path), 200, 'all of it');
});

test('a status that is not known is stored with explicit freshness, but not with must-understand', async () => {
  await stored(minute, { status: 299 });
  await asked({ 'Cache-Control': 'max-age=60, must-understand' }, { status: 299 });
});

test('must-understand makes no-store void for a status that is understood (section 5.2.2.3)', async () => {
  await stored({ 'Cache-Control': 'max-age=60, must-understand, no-store' });
  await asked({ 'Cache-Control': 'max-age=60, must-understand, no-store' }, { status: 299 });
});

for (const control of ['no-store', 'No-Store, max-age=60', 'max-age=60, no-store="x"', 'private', 'private, max-age=60', 's-maxage=60, private']) {
  test(`not stored: Cache-Control: ${control}`, () => asked({ ...aged, 'Cache-Control': control }));
}

for (const name of ['private', 'no-cache']) {
  test(`${name} with field names: the response is stored without them (section 5.2.2)`, async () => {
    const { first, again } = await stored({
      'Cache-Control': `max-age=60, ${name}="X-Secret, x-other"`, 'X-Secret': 's', 'X-Other': 'o', 'X-Kept': 'k',
    });
    assert.deepEqual([first.field('x-secret'), first.field('x-other'), first.field('x-kept')], ['s', 'o', 'k']);
    assert.deepEqual([again.field('x-secret'), again.field('x-other'), again.field('x-kept')], [undefined, undefined, 'k']);
  });
}

test('private with a field that the stored bytes cannot be read without is for the whole response', () =>
  asked({ 'Cache-Control': 'max-age=60, private="Content-Encoding"', 'Content-Encoding': 'gzip' }));

test('no-cache: stored, and asked for at each use', async () => {
  const { requests } = await asked({ 'Cache-Control': 'no-cache, max-age=60', ETag: '"v1"' });
  assert.equal(requests[1].field('if-none-match'), '"v1"');
});

test('what has neither lifetime nor validator is not reused', () => asked({ 'Content-Type': 'text/plain' }));

test('a method other than GET: its answer is not given to a GET', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    const path = lab.path();
    lab.origin.on(path, async (request, reply) => { await request.whole(); reply.send(200, minute, request.method); });
    await lab.get(path, { method, body: method === 'POST' ? 'x' : undefined });
    expectWhole(await lab.get(path), 200, 'GET');
  }
});

const authorized = { request: { Authorization: 'Bearer one' } };

test('Authorization: not stored unless the origin allows it (section 3.5)', async () => {
  await asked(minute, authorized);
  await asked({ 'Cache-Control': 'max-age=60, proxy-revalidate' }, authorized);
});

for (const control of ['public, max-age=60', 's-maxage=60', 'must-revalidate, max-age=60']) {
  test(`Authorization: "${control}" is for everybody`, () => stored({ 'Cache-Control': control }, { ...authorized, second: { Authorization: 'Bearer two' } }));
}

const cookie = { 'Set-Cookie': 'a=b' };

test('Set-Cookie, safe (the default): only where the origin speaks to shared caches', async () => {
  await asked({ ...cookie, ...minute });
  await asked({ ...cookie, ...aged });
  for (const fields of [{ 'Cache-Control': 'public, max-age=60' }, { 'Cache-Control': 's-maxage=60' }, { 'CDN-Cache-Control': 'max-age=60' }]) {
    const { first, again } = await stored({ ...cookie, ...fields });
    assert.deepEqual([first.field('set-cookie'), again.field('set-cookie')], ['a=b', 'a=b'], JSON.stringify(fields));
  }
});

test('Set-Cookie, rfc: it decides nothing (section 7.3)', async (t) => {
  const own = await ownLab(t, { settings: { 'cache.set_cookie': 'rfc' } });
  const { again } = await storing(own).stored({ ...cookie, ...minute });
  assert.equal(again.field('set-cookie'), 'a=b');
});

test('Set-Cookie, strip: stored without it, and whoever caused the request has it', async (t) => {
  const own = await ownLab(t, { settings: { 'cache.set_cookie': 'strip' } });
  const { first, again } = await storing(own).stored({ ...cookie, ...minute });
  assert.deepEqual([first.field('set-cookie'), again.has('set-cookie')], ['a=b', false]);
});

test('Vary: * is not stored, in whatever company', async () => {
  for (const vary of ['*', 'Accept, *', '*, Accept']) await asked({ ...minute, Vary: vary });
  await asked([['Cache-Control', 'max-age=60'], ['Vary', 'Accept'], ['Vary', '*']]);
});

test('a response that was cut is not stored (section 3.3)', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    if (lab.origin.requestsFor(path).length === 1) {
      reply.head(200, { ...minute, 'Content-Length': '9', ETag: '"v1"' });
      reply.write('half');
      reply.end();
    } else {
      reply.send(200, { ...minute, ETag: '"v1"' }, 'the whole');
    }
  });
  assert.equal((await lab.get(path)).complete, false);
  const again = await lab.get(path);
  expectForwarded(again);
  expectWhole(again, 200, 'the whole');
  expectHit(await lab.get(path));
});

test('what comes without Date gets one, stored or not, whole or with fields withheld (RFC 9110 section 6.6.1)', async () => {
  for (const control of ['no-store', 'max-age=60', 'max-age=60, no-cache="x-named"']) {
    const path = lab.path();
    lab.origin.on(path, (_, reply) => {
      reply.write(`HTTP/1.1 200 OK\r\nCache-Control: ${control}\r\nX-Named: 1\r\nContent-Length: 4\r\n\r\nbody`);
    });
    for (let i = 0; i < 2; ++i) {
      const response = await lab.get(path);
      expectWhole(response, 200, 'body');
      assert.ok(Math.abs(Date.parse(response.field('date')) - Date.now()) < 60_000, `${control}: ${response.head}`);
    }
  }
});

test('trailers never become header fields, neither now nor from the store (RFC 9110 section 6.5.1)', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.head(200, { 'Transfer-Encoding': 'chunked', ...minute, Trailer: 'X-Sum' });
    reply.chunk('body').write('0\r\nX-Sum: 42\r\nCache-Control: max-age=9999\r\nSet-Cookie: t=1\r\n\r\n');
  });
  const taking = { fields: { TE: 'trailers', Connection: 'TE' } };
  for (const expected of [expectForwarded, expectHit]) {
    const response = await lab.get(path, taking);
    expected(response);
    expectWhole(response, 200, 'body');
    assert.equal(response.has('x-sum'), false);
    assert.equal(response.has('set-cookie'), false);
    assert.equal(response.field('cache-control'), 'max-age=60');
  }
  const plain = await lab.get(path);
  expectHit(plain);
  assert.deepEqual(plain.trailers, []);
  assert.ok(Number(cacheStatus(plain).ttl) <= 60);
});

test('Connection takes a field away, and one that caching depends on takes the response from the store', async () => {
  const { again } = await stored({ ...minute, Connection: 'X-Hop', 'X-Hop': '1', 'X-Kept': '2' });
  assert.deepEqual([again.has('x-hop'), again.field('x-kept')], [false, '2']);
  await asked({ ...minute, Connection: 'Cache-Control' });
});
