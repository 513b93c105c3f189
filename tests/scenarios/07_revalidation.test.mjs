// Validation (RFC 9111 section 4.3) and what may be served while or instead of it (sections 4.2.4 and 5.2, RFC 5861).
//
// A response is made stale without waiting: it arrives with an Age above its freshness lifetime.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { Edge } from '../support/edge.mjs';
import { expectBodyless, expectForwarded, expectHit, expectRevalidated, expectWhole } from '../support/expect.mjs';
import { sharedLab } from '../support/lab.mjs';
import { Nginx } from '../support/nginx.mjs';
import { eventually, gate } from '../support/waiting.mjs';

const lab = sharedLab();
const longAgo = 'Mon, 01 Jan 2024 00:00:00 GMT';
const later = 'Tue, 02 Jan 2024 00:00:00 GMT';
const stale = { 'Cache-Control': 'max-age=60', Age: '100' };
const fresh = { 'Cache-Control': 'max-age=60' };

// An origin path that answers 200 first and then whatever `again` says.
function firstThen(path, fields, body, again) {
  lab.origin.on(path, (request, reply) => {
    if (lab.origin.requestsFor(path).length === 1) reply.send(200, fields, body);
    else return again(request, reply);
    return undefined;
  });
}

const conditions = (request) => ({ inm: request.field('if-none-match'), ims: request.field('if-modified-since') });

for (const [title, validators, expected] of [
  ['ETag', { ETag: '"v1"' }, { inm: '"v1"', ims: undefined }],
  ['a weak ETag', { ETag: 'W/"v1"' }, { inm: 'W/"v1"', ims: undefined }],
  ['Last-Modified', { 'Last-Modified': longAgo }, { inm: undefined, ims: longAgo }],
  ['both', { ETag: '"v1"', 'Last-Modified': longAgo }, { inm: '"v1"', ims: longAgo }],
]) {
  test(`stale with ${title}: one conditional request, the 304 makes it fresh`, async () => {
    const path = lab.path();
    firstThen(path, { ...stale, ...validators }, 'body', (_, reply) => reply.send(304, { ...fresh, ...validators }));
    await lab.store(path);
    const response = await lab.get(path);
    expectRevalidated(response);
    expectWhole(response, 200, 'body');
    const requests = lab.origin.requestsFor(path);
    assert.equal(requests.length, 2);
    assert.deepEqual(conditions(requests[1]), expected);
    const hit = await lab.get(path);
    expectHit(hit);
    expectWhole(hit, 200, 'body');
    assert.equal(lab.origin.requestsFor(path).length, 2);
  });
}

for (const control of ['no-cache', 'max-age=0', 'no-cache, must-revalidate', 'max-age=0, must-revalidate', 's-maxage=0']) {
  test(`${control} is stored, and each use costs one conditional request`, async () => {
    const path = lab.path();
    firstThen(path, { 'Cache-Control': control, ETag: '"v1"' }, 'body', (_, reply) => reply.send(304, { 'Cache-Control': control, ETag: '"v1"' }));
    await lab.store(path);
    for (let use = 2; use <= 4; ++use) {
      const response = await lab.get(path);
      expectRevalidated(response);
      expectWhole(response, 200, 'body');
      const requests = lab.origin.requestsFor(path);
      assert.equal(requests.length, use);
      assert.equal(requests.at(-1).field('if-none-match'), '"v1"');
    }
  });
}

test('the response changed: the 200 replaces the stored one', async () => {
  const path = lab.path();
  firstThen(path, { ...stale, ETag: '"v1"' }, 'old', (_, reply) => reply.send(200, { ...fresh, ETag: '"v2"' }, 'new'));
  await lab.store(path);
  const response = await lab.get(path);
  expectForwarded(response, 'stale');
  expectWhole(response, 200, 'new');
  const hit = await lab.get(path);
  expectHit(hit);
  expectWhole(hit, 200, 'new');
  assert.equal(hit.field('etag'), '"v2"');
});

test('G3: a 304 updates the header fields of the stored response (section 3.2), the body stays', async () => {
  const path = lab.path();
  firstThen(path, { ...stale, ETag: '"v1"', 'X-Old': 'stays', 'X-Changed': 'a', 'Content-Type': 'text/plain' }, 'body',
    (_, reply) => reply.send(304, { ...fresh, ETag: '"v1"', 'X-Changed': 'b', 'X-New': 'c' }));
  await lab.store(path);
  for (const check of [expectRevalidated, expectHit]) {
    const response = await lab.get(path);
    check(response);
    expectWhole(response, 200, 'body');
    assert.equal(response.field('x-old'), 'stays');
    assert.equal(response.field('x-changed'), 'b');
    assert.equal(response.field('x-new'), 'c');
    assert.equal(response.field('content-type'), 'text/plain');
  }
});

test('G8: framing fields are never taken from a 304', async () => {
  const path = lab.path();
  firstThen(path, { ...stale, ETag: '"v1"' }, 'the body', (_, reply) => {
    reply.head(304, { ...fresh, ETag: '"v1"', 'Content-Length': '3', 'Content-Encoding': 'gzip', 'Content-Range': 'bytes 0-2/8', Date: new Date().toUTCString() });
  });
  await lab.store(path);
  for (let i = 0; i < 2; ++i) {
    const response = await lab.get(path);
    expectWhole(response, 200, 'the body');
    assert.equal(response.field('content-length'), '8');
    assert.equal(response.has('content-range'), false);
  }
});

test('validators that a 304 refreshes are stored: the next request uses them', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (!request.has('if-modified-since')) reply.send(200, { 'Cache-Control': 'no-cache', 'Last-Modified': longAgo }, 'body');
    else reply.send(304, { 'Cache-Control': 'no-cache', 'Last-Modified': longAgo, ETag: 'W/"born-later"' });
  });
  await lab.store(path);
  expectRevalidated(await lab.get(path));
  const response = await lab.get(path);
  expectRevalidated(response);
  assert.equal(response.field('etag'), 'W/"born-later"');
  assert.equal(lab.origin.requestsFor(path)[2].field('if-none-match'), 'W/"born-later"');
});

test('a Last-Modified that a 304 moves is stored: the next request uses it', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (!request.has('if-none-match')) reply.send(200, { 'Cache-Control': 'no-cache', ETag: '"e"', 'Last-Modified': longAgo }, 'body');
    else reply.send(304, { 'Cache-Control': 'no-cache', ETag: '"e"', 'Last-Modified': later });
  });
  await lab.store(path);
  expectRevalidated(await lab.get(path));
  const response = await lab.get(path);
  assert.equal(response.field('last-modified'), later);
  assert.deepEqual(conditions(lab.origin.requestsFor(path)[2]), { inm: '"e"', ims: later });
});

test('G8: a 304 whose strong ETag is another is not applied; the whole response is fetched', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    const n = lab.origin.requestsFor(path).length;
    if (n === 1) reply.send(200, { ...stale, ETag: '"v1"' }, 'old');
    else if (request.has('if-none-match')) reply.send(304, { ...fresh, ETag: '"v2"' });
    else reply.send(200, { ...fresh, ETag: '"v2"' }, 'new');
  });
  await lab.store(path);
  const response = await lab.get(path);
  expectWhole(response, 200, 'new');
  assert.equal(lab.origin.requestsFor(path).length, 3);
  expectWhole(await lab.get(path), 200, 'new');
});

test('G1: the client\'s If-None-Match that matches a fresh stored response: 304 from the store with the fields of RFC 9110 section 15.4.5', async () => {
  const path = lab.path();
  lab.origin.on(path, {
    fields: { 'Cache-Control': 'max-age=60', ETag: '"v1"', 'Last-Modified': longAgo, Vary: 'X-V', Expires: later, 'Content-Location': '/here', 'Content-Type': 'text/plain' },
    body: 'body',
  });
  const stored = await lab.store(path);
  const client = await lab.connect();
  for (const condition of ['"v1"', 'W/"v1"', '"a", "v1" , "b"', '*']) {
    const response = await client.request(path, { fields: { 'If-None-Match': condition } }).response();
    expectBodyless(response, 304);
    expectHit(response);
    assert.equal(response.field('etag'), '"v1"');
    for (const name of ['cache-control', 'expires', 'vary', 'content-location', 'date']) assert.equal(response.field(name), stored.field(name), name);
  }
  expectWhole(await client.request(path).response(), 200, 'body');
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('the client\'s If-None-Match is compared weakly', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { ...fresh, ETag: 'W/"v1"' }, body: 'body' });
  await lab.store(path);
  expectBodyless(await lab.get(path, { fields: { 'If-None-Match': '"v1"' } }), 304);
  expectBodyless(await lab.get(path, { fields: { 'If-None-Match': 'W/"v1"' } }), 304);
  expectWhole(await lab.get(path, { fields: { 'If-None-Match': 'W/"v2"' } }), 200, 'body');
});

test('the client\'s If-Modified-Since is answered from the store', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { ...fresh, 'Last-Modified': longAgo }, body: 'body' });
  await lab.store(path);
  expectBodyless(await lab.get(path, { fields: { 'If-Modified-Since': longAgo } }), 304);
  expectBodyless(await lab.get(path, { fields: { 'If-Modified-Since': later } }), 304);
  expectWhole(await lab.get(path, { fields: { 'If-Modified-Since': 'Sun, 31 Dec 2023 00:00:00 GMT' } }), 200, 'body');
  expectWhole(await lab.get(path, { fields: { 'If-Modified-Since': 'nonsense' } }), 200, 'body');
});

test('If-None-Match goes before If-Modified-Since (RFC 9110 section 13.2.2)', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { ...fresh, ETag: '"v1"', 'Last-Modified': longAgo }, body: 'body' });
  await lab.store(path);
  expectWhole(await lab.get(path, { fields: { 'If-None-Match': '"other"', 'If-Modified-Since': longAgo } }), 200, 'body');
  expectBodyless(await lab.get(path, { fields: { 'If-None-Match': '"v1"', 'If-Modified-Since': 'Sun, 31 Dec 2023 00:00:00 GMT' } }), 304);
});

test('the client\'s condition on a stale response is evaluated against what the origin says now', async () => {
  const path = lab.path();
  let current = '"v1"';
  lab.origin.on(path, (request, reply) => {
    const fields = { 'Cache-Control': 'no-cache', ETag: current };
    if (request.field('if-none-match')?.includes(current)) reply.send(304, fields);
    else reply.send(200, fields, `body ${current}`);
  });
  await lab.store(path);
  expectBodyless(await lab.get(path, { fields: { 'If-None-Match': '"v1"' } }), 304);
  current = '"v2"';
  expectWhole(await lab.get(path, { fields: { 'If-None-Match': '"v1"' } }), 200, 'body "v2"');
  expectBodyless(await lab.get(path, { fields: { 'If-None-Match': '"v2"' } }), 304);
});

test('a client with a condition on a miss never leaves a 304 behind for a client without', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (request.field('if-none-match') === '"v1"') reply.send(304, { ...fresh, ETag: '"v1"' });
    else reply.send(200, { ...fresh, ETag: '"v1"' }, 'body');
  });
  expectBodyless(await lab.get(path, { fields: { 'If-None-Match': '"v1"' } }), 304);
  expectWhole(await lab.get(path), 200, 'body');
  expectWhole(await lab.get(path), 200, 'body');
});

test('G8: a 5xx while revalidating does not replace the stored response', async () => {
  const path = lab.path();
  let failing = false;
  lab.origin.on(path, (request, reply) => {
    if (failing) reply.send(503, { 'Cache-Control': 'no-store' }, 'down');
    else if (request.has('if-none-match')) reply.send(304, { ...fresh, ETag: '"v1"' });
    else reply.send(200, { ...stale, ETag: '"v1"' }, 'good');
  });
  await lab.store(path);
  failing = true;
  const during = await lab.get(path);
  assert.ok(during.status === 503 || (during.status === 200 && during.text === 'good'), during.head);
  failing = false;
  const after = await lab.get(path);
  expectRevalidated(after);
  expectWhole(after, 200, 'good');
});

test('must-revalidate: a 5xx while revalidating is passed on or becomes 504, the stale response is not served', async () => {
  const path = lab.path();
  firstThen(path, { 'Cache-Control': 'max-age=60, must-revalidate, stale-if-error=600', Age: '100', ETag: '"v1"' }, 'good',
    (_, reply) => reply.send(503, { 'Cache-Control': 'no-store' }, 'down'));
  await lab.store(path);
  assert.ok([503, 504].includes((await lab.get(path)).status));
});

test('only-if-cached without a stored response: 504, and the origin is not asked', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: fresh, body: 'x' });
  const ask = () => lab.get(path, { fields: { 'Cache-Control': 'only-if-cached' } });
  assert.equal((await ask()).status, 504);
  assert.equal(lab.origin.requestsFor(path).length, 0);
  await lab.store(path);
  const hit = await ask();
  expectHit(hit);
  expectWhole(hit, 200, 'x');
});

test('only-if-cached on a stale response: 504, and the origin is not asked', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { ...stale, ETag: '"v1"' }, body: 'x' });
  await lab.store(path);
  assert.equal((await lab.get(path, { fields: { 'Cache-Control': 'only-if-cached' } })).status, 504);
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

for (const control of ['no-cache', 'max-age=0']) {
  test(`a client's ${control} revalidates a fresh stored response`, async () => {
    const path = lab.path();
    firstThen(path, { ...fresh, ETag: '"v1"' }, 'body', (_, reply) => reply.send(304, { ...fresh, ETag: '"v1"' }));
    await lab.store(path);
    const response = await lab.get(path, { fields: { 'Cache-Control': control } });
    expectWhole(response, 200, 'body');
    const requests = lab.origin.requestsFor(path);
    assert.equal(requests.length, 2);
    assert.equal(requests[1].field('if-none-match'), '"v1"');
  });
}

test('stale-while-revalidate: the stale response is served at once, one conditional request goes out behind it', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  const control = 'max-age=60, stale-while-revalidate=600';
  firstThen(path, { 'Cache-Control': control, Age: '100', ETag: '"v1"' }, 'body', async (_, reply) => {
    await opened;
    reply.send(304, { 'Cache-Control': control, ETag: '"v1"' });
  });
  await lab.store(path);
  for (let i = 0; i < 5; ++i) expectWhole(await lab.get(path), 200, 'body');
  const requests = await lab.origin.received(path, 2);
  assert.equal(requests[1].field('if-none-match'), '"v1"');
  open();
  // The refreshed response is the one whose Age is small again.
  await eventually(async () => {
    const response = await lab.get(path);
    expectWhole(response, 200, 'body');
    return Number(response.field('age')) < 60;
  }, 'the refreshed response');
  assert.equal(lab.origin.requestsFor(path).length, 2, 'G5: one request for all of them');
});

test('stale-while-revalidate: a changed response replaces the stored one behind the scenes', async () => {
  const path = lab.path();
  firstThen(path, { 'Cache-Control': 'max-age=60, stale-while-revalidate=600', Age: '100', ETag: '"v1"' }, 'old',
    (_, reply) => reply.send(200, { ...fresh, ETag: '"v2"' }, 'new'));
  await lab.store(path);
  expectWhole(await lab.get(path), 200, 'old');
  await eventually(async () => {
    const response = await lab.get(path);
    if (response.text !== 'new') expectWhole(response, 200, 'old');
    return response.text === 'new';
  }, 'the new response');
  assert.equal(lab.origin.requestsFor(path).length, 2);
});

test('past stale-while-revalidate the client waits for the origin', async () => {
  const path = lab.path();
  firstThen(path, { 'Cache-Control': 'max-age=60, stale-while-revalidate=10', Age: '100', ETag: '"v1"' }, 'old',
    (_, reply) => reply.send(200, { ...fresh, ETag: '"v2"' }, 'new'));
  await lab.store(path);
  expectWhole(await lab.get(path), 200, 'new');
});

test('a variant is revalidated with its own validator', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    const v = request.field('x-v');
    const fields = { 'Cache-Control': 'no-cache', Vary: 'X-V', ETag: `"${v}"` };
    if (request.field('if-none-match')?.includes(`"${v}"`)) reply.send(304, fields);
    else reply.send(200, fields, v);
  });
  for (const v of ['a', 'b']) await lab.store(path, { fields: { 'X-V': v } });
  for (const v of ['a', 'b']) {
    const response = await lab.get(path, { fields: { 'X-V': v } });
    expectRevalidated(response);
    expectWhole(response, 200, v);
  }
});

test('a response without validator and freshness that is stored is never served without asking', async () => {
  const path = lab.path();
  let n = 0;
  lab.origin.on(path, (_, reply) => reply.send(200, { 'Cache-Control': 'no-cache' }, `body ${++n}`));
  expectWhole(await lab.get(path), 200, 'body 1');
  expectWhole(await lab.get(path), 200, 'body 2');
});

test('HEAD on a stale stored response is answered without a body, and the stored body stays good', async () => {
  const path = lab.path();
  firstThen(path, { 'Cache-Control': 'no-cache', ETag: '"v1"' }, 'body', (request, reply) => {
    if (request.field('if-none-match') === '"v1"') reply.send(304, { 'Cache-Control': 'no-cache', ETag: '"v1"' });
    else reply.send(200, { 'Cache-Control': 'no-cache', ETag: '"v1"' }, 'body');
  });
  await lab.store(path);
  const client = await lab.connect();
  expectBodyless(await client.request(path, { method: 'HEAD' }).response(), 200);
  expectWhole(await client.request(path).response(), 200, 'body');
});

test('a 304 that selects a stored variant which the request had not: both requests have it from now on (section 4.3.4)', async () => {
  const path = lab.path();
  const asked = [];
  lab.origin.on(path, (request, reply) => {
    asked.push(request.field('if-none-match'));
    const v = request.field('x-v');
    const tag = v === 'b' ? '"b"' : '"a"';
    const fields = { ...fresh, Vary: 'X-V', ETag: tag };
    if (request.field('if-none-match')?.includes(tag)) reply.send(304, fields);
    else reply.send(200, fields, tag);
  });
  const ask = (v) => lab.get(path, { fields: { 'X-V': v } });
  for (const v of ['a', 'b']) await ask(v);
  const third = await ask('c');
  expectRevalidated(third);
  expectWhole(third, 200, '"a"');
  assert.deepEqual(asked[2].split(', ').sort(), ['"a"', '"b"']);
  for (const [v, body] of [['a', '"a"'], ['b', '"b"'], ['c', '"a"']]) {
    const hit = await ask(v);
    expectHit(hit);
    expectWhole(hit, 200, body);
  }
  assert.equal(asked.length, 3);
});

for (const status of [206, 412, 416]) {
  test(`${status} to the edge's own conditional request is not passed on: it asks again without conditions`, async () => {
    const path = lab.path();
    lab.origin.on(path, (request, reply) => {
      if (request.has('if-none-match')) reply.send(status, { 'Content-Range': status === 206 ? 'bytes 0-0/3' : 'bytes */3' }, status === 206 ? 'x' : '');
      else reply.send(200, { ...stale, ETag: '"v1"' }, 'whole');
    });
    await lab.store(path);
    expectWhole(await lab.get(path), 200, 'whole');
    assert.deepEqual(lab.origin.requestsFor(path).map((r) => r.field('if-none-match')), [undefined, '"v1"', undefined]);
  });
}

test('a 200 to HEAD that fits freshens the stored response (section 4.3.5)', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (request.method === 'HEAD') reply.send(200, { ...fresh, ETag: '"v1"', 'X-New': 'n', 'Content-Length': '4' });
    else reply.send(200, { ...stale, ETag: '"v1"', 'X-Old': 'o' }, 'body');
  });
  await lab.store(path);
  const head = await lab.get(path, { method: 'HEAD' });
  expectBodyless(head, 200);
  assert.deepEqual([head.field('x-old'), head.field('x-new')], ['o', 'n']);
  const hit = await lab.get(path);
  expectHit(hit);
  expectWhole(hit, 200, 'body');
  assert.deepEqual([hit.field('x-old'), hit.field('x-new')], ['o', 'n']);
});

for (const [what, fields] of [['another ETag', { ETag: '"v2"' }], ['another length', { ETag: '"v1"', 'Content-Length': '5' }]]) {
  test(`a 200 to HEAD with ${what}: the stored response is validated before it is used again`, async () => {
    const path = lab.path();
    lab.origin.on(path, (request, reply) => {
      if (request.method === 'HEAD') reply.send(200, fields);
      else if (request.has('if-none-match')) reply.send(200, { ...fresh, ETag: '"v2"' }, 'other');
      else reply.send(200, { ...fresh, ETag: '"v1"' }, 'body');
    });
    await lab.store(path);
    const head = await lab.get(path, { method: 'HEAD', fields: { 'Cache-Control': 'no-cache' } });
    expectBodyless(head, 200);
    const get = await lab.get(path);
    expectForwarded(get);
    expectWhole(get, 200, 'other');
    expectHit(await lab.get(path));
  });
}

test('an error that answers a HEAD changes nothing of what is stored', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (request.method === 'HEAD') reply.send(404, { ETag: '"v2"' });
    else reply.send(200, { ...fresh, ETag: '"v1"' }, 'body');
  });
  await lab.store(path);
  assert.equal((await lab.get(path, { method: 'HEAD', fields: { 'Cache-Control': 'no-cache' } })).status, 404);
  expectHit(await lab.get(path));
});

test('before nginx that compresses: each coding is validated by a 304, and nobody gets a coding that is not asked for', async (t) => {
  const nginx = await Nginx.start({ server: (n) => `root ${n.prefix}/www; gzip on; gzip_vary on; gzip_proxied any; gzip_min_length 10; gzip_types text/plain; add_header Cache-Control no-cache;` });
  t.after(() => nginx.stop());
  const edge = await Edge.start({ origin: nginx.url });
  t.after(() => edge.stop());
  const text = 'the same words '.repeat(1000);
  const gzip = { fields: { 'Accept-Encoding': 'gzip, br' } };
  for (const [file, order] of [['a.txt', [gzip, {}]], ['b.txt', [{}, gzip]]]) {
    nginx.write(file, text, new Date(longAgo));
    for (const [round, asked] of [...order, ...order].entries()) {
      const response = await edge.get(`/${file}`, asked);
      assert.equal(response.field('content-encoding'), asked === gzip ? 'gzip' : undefined);
      expectWhole(response, 200);
      assert.equal((asked === gzip ? gunzipSync(response.body) : response.body).toString(), text);
      if (round >= 2) expectRevalidated(response);
    }
  }
});

// As Express with compression has it.
test('one weak entity tag for all codings: a 304 to it never makes one the answer to a request for another', async () => {
  for (const order of [['gzip', undefined], [undefined, 'gzip']]) {
    const path = lab.path();
    lab.origin.on(path, (request, reply) => {
      const coded = (request.field('accept-encoding') ?? '').includes('gzip');
      const fields = { 'Cache-Control': 'no-cache', ETag: 'W/"v"', Vary: 'Accept-Encoding', ...(coded ? { 'Content-Encoding': 'gzip' } : {}) };
      return request.field('if-none-match') === 'W/"v"' ? reply.send(304, fields) : reply.send(200, fields, coded ? 'zipped' : 'plain');
    });
    for (const accepted of [...order, ...order]) {
      const response = await lab.get(path, { fields: accepted ? { 'Accept-Encoding': accepted } : {} });
      assert.equal(response.text, accepted ? 'zipped' : 'plain', response.head);
      assert.equal(response.field('content-encoding'), accepted);
    }
  }
});

test('a 304 that says nothing of the origin that asks never gives it what another was allowed (CORS)', async () => {
  for (const telling of [true, false]) {
    const path = lab.path();
    lab.origin.on(path, (request, reply) => {
      const from = request.field('origin');
      const allowed = from ? { 'Access-Control-Allow-Origin': from } : {};
      if (request.field('if-none-match') === '"v"') return reply.send(304, { ETag: '"v"', ...(telling ? allowed : {}) });
      return reply.send(200, { ...fresh, ETag: '"v"', Vary: 'Origin', ...allowed }, 'same');
    });
    const asked = ['https://a', 'https://b', undefined];
    for (const origin of [...asked, ...asked]) {
      const response = await lab.get(path, { fields: origin ? { Origin: origin } : {} });
      expectWhole(response, 200, 'same');
      assert.equal(response.field('access-control-allow-origin'), origin, response.head);
    }
    assert.equal(lab.origin.requestsFor(path).length, telling ? 4 : 5);
  }
});
