// The most basic: what a client asks reaches the origin, and what the origin answers reaches the client.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectBodyless, expectWhole } from '../support/expect.mjs';
import { sharedLab } from '../support/lab.mjs';
import { valuesOf } from '../support/message.mjs';
import { notOverHttp2, scheme } from '../support/protocol.mjs';

const lab = sharedLab();

test('a GET is forwarded with its target byte for byte and answered with status, fields and body', async () => {
  const path = lab.path();
  lab.origin.on(path, { status: 203, fields: { 'X-Answer': 'forty two', 'Cache-Control': 'no-store' }, body: 'hello' });
  const response = await lab.get(`${path}?a=%41&B=c//d/../e&&x=%2F`, { fields: { 'X-Question': 'what; is="it"' } });
  expectWhole(response, 203, 'hello');
  assert.equal(response.field('x-answer'), 'forty two');
  const [request] = lab.origin.requestsFor(path);
  assert.equal(request.requestLine, `GET ${path}?a=%41&B=c//d/../e&&x=%2F HTTP/1.1`);
  assert.equal(request.field('x-question'), 'what; is="it"');
});

test('dot segments and percent-encoding in the path are not rewritten', async () => {
  const path = `${lab.path()}/a/../b/./%7Euser/%2e%2E`;
  lab.origin.on(path, { body: 'x' });
  expectWhole(await lab.get(path), 200, 'x');
  assert.equal(lab.origin.requestsFor(path)[0].target, path);
});

test('the origin is sent the Host that the client sent', async () => {
  const path = lab.path();
  lab.origin.on(path, { body: 'x' });
  await lab.get(path, { host: 'shop.example' });
  assert.deepEqual(valuesOf(lab.origin.requestsFor(path)[0].fields, 'host'), ['shop.example']);
});

test('a repeated response field keeps its lines and their order', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: [['Link', '</1>'], ['Set-Cookie', 'a=1, b'], ['Link', '</2>'], ['Set-Cookie', 'c=2']], body: 'x' });
  const response = await lab.get(path);
  assert.deepEqual(valuesOf(response.fields, 'link'), ['</1>', '</2>']);
  assert.deepEqual(valuesOf(response.fields, 'set-cookie'), ['a=1, b', 'c=2']);
});

test('a repeated request field keeps its values and their order', async () => {
  const path = lab.path();
  lab.origin.on(path, { body: 'x' });
  await lab.get(path, { fields: [['X-List', 'a'], ['X-List', 'b, c']] });
  assert.equal(lab.origin.requestsFor(path)[0].field('x-list'), 'a, b, c');
});

test('G1: HEAD is answered with the fields of GET and no body, and the connection goes on', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Cache-Control': 'no-store' }, body: 'hello' });
  const client = await lab.connect();
  const head = await client.request(path, { method: 'HEAD' }).response();
  expectBodyless(head, 200);
  assert.equal(head.field('content-length'), '5');
  expectWhole(await client.request(path).response(), 200, 'hello');
  assert.deepEqual(lab.origin.requestsFor(path).map((r) => r.method), ['HEAD', 'GET']);
});

test('G1: 204 has no body and no Content-Length, and the connection goes on', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => reply.send(204, { 'Cache-Control': 'no-store' }));
  const client = await lab.connect();
  for (let i = 0; i < 2; ++i) {
    const response = await client.request(path).response();
    expectBodyless(response, 204);
    assert.equal(response.has('content-length'), false);
  }
});

test('G1: a 304 that answers the client\'s own condition has no body, and the connection goes on', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (request.field('if-none-match') === '"v1"') reply.send(304, { ETag: '"v1"', 'Cache-Control': 'no-store' });
    else reply.send(200, { ETag: '"v1"', 'Cache-Control': 'no-store' }, 'hello');
  });
  const client = await lab.connect();
  const response = await client.request(path, { fields: { 'If-None-Match': '"v1"' } }).response();
  expectBodyless(response, 304);
  assert.equal(response.field('etag'), '"v1"');
  expectWhole(await client.request(path).response(), 200, 'hello');
});

test('an empty body of Content-Length 0 is a whole response', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60' }, body: '' });
  const client = await lab.connect();
  for (let i = 0; i < 2; ++i) expectWhole(await client.request(path).response(), 200, '');
});

test('a method that the edge does not know is forwarded with its body, not refused', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    reply.send(207, {}, 'multi');
  });
  const response = await lab.get(path, { method: 'PROPFIND', body: '<propfind/>' });
  expectWhole(response, 207, 'multi');
  const [request] = lab.origin.requestsFor(path);
  assert.equal(request.method, 'PROPFIND');
  assert.equal(request.body.toString(), '<propfind/>');
});

test('method names are case-sensitive: "get" is an unknown method and is forwarded as it is', async () => {
  const path = lab.path();
  lab.origin.on(path, { body: 'x' });
  await lab.get(path, { method: 'get' });
  assert.equal(lab.origin.requestsFor(path)[0].method, 'get');
});

test('OPTIONS * is forwarded in asterisk form', async () => {
  lab.origin.on('*', { fields: { Allow: 'GET' }, body: '' });
  const response = await lab.get('*', { method: 'OPTIONS' });
  assert.equal(response.status, 200);
  assert.equal(lab.origin.requestsFor('*')[0].target, '*');
});

test('an absolute-form target names the host and is forwarded in origin form', notOverHttp2('it has no such form'), async () => {
  const path = lab.path();
  lab.origin.on(path, { body: 'x' });
  expectWhole(await lab.get(`${scheme}://abs.example${path}?q`, { host: 'abs.example' }), 200, 'x');
  const [request] = lab.origin.requestsFor(path);
  assert.equal(request.target, `${path}?q`);
  assert.equal(request.field('host'), 'abs.example');
});

test('a chunked response arrives whole, its framing is the edge\'s own', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.head(200, { 'Transfer-Encoding': 'chunked', 'Cache-Control': 'no-store' });
    reply.chunk('one ').chunk('two ').chunk('three').lastChunk();
  });
  expectWhole(await lab.get(path), 200, 'one two three');
});

test('a response that ends with the origin connection arrives whole, and the client connection goes on', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.head(200, { Connection: 'close', 'Cache-Control': 'no-store' }).write('until the end').end();
  });
  const client = await lab.connect();
  for (let i = 0; i < 2; ++i) expectWhole(await client.request(path).response(), 200, 'until the end');
});

test('error responses of the origin pass unchanged', async () => {
  const path = lab.path();
  for (const status of [400, 401, 403, 404, 410, 500, 503]) {
    lab.origin.on(path, { status, fields: { 'Cache-Control': 'no-store', 'Retry-After': '7' }, body: `it is ${status}` });
    const response = await lab.get(path);
    expectWhole(response, status, `it is ${status}`);
    assert.equal(response.field('retry-after'), '7');
  }
});

test('redirects of the origin pass unchanged and are not followed', async () => {
  const path = lab.path();
  for (const status of [301, 302, 303, 307, 308]) {
    lab.origin.on(path, { status, fields: { Location: '/elsewhere', 'Cache-Control': 'no-store' }, body: '' });
    const response = await lab.get(path);
    assert.equal(response.status, status);
    assert.equal(response.field('location'), '/elsewhere');
  }
  assert.equal(lab.origin.requestsFor('/elsewhere').length, 0);
});

test('a content coding passes through undecoded', async () => {
  const path = lab.path();
  const bytes = Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0xff, 0x00]);
  lab.origin.on(path, { fields: { 'Content-Encoding': 'gzip', 'Cache-Control': 'no-store' }, body: bytes });
  const response = await lab.get(path, { fields: { 'Accept-Encoding': 'gzip' } });
  expectWhole(response, 200, bytes);
  assert.equal(response.field('content-encoding'), 'gzip');
  assert.equal(lab.origin.requestsFor(path)[0].field('accept-encoding'), 'gzip');
});

test('every byte value passes in a body', async () => {
  const path = lab.path();
  const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => i & 0xff));
  lab.origin.on(path, { body: bytes });
  expectWhole(await lab.get(path), 200, bytes);
});
