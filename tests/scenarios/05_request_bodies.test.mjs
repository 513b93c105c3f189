// Request bodies stream to the origin, in bounded memory, and a broken one never looks whole (G9).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { chunk } from '../support/message.mjs';
import { notOverHttp2 } from '../support/protocol.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const echo = async (request, reply) => { await request.whole(); reply.send(200, { 'Cache-Control': 'no-store' }, request.body); };

test('a body with Content-Length arrives as it is', async () => {
  const path = lab.path();
  lab.origin.on(path, echo);
  const body = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) & 0xff));
  expectWhole(await lab.get(path, { method: 'POST', body }), 200, body);
  assert.equal(lab.origin.requestsFor(path)[0].field('content-length'), '70000');
});

test('a chunked body arrives as it is, in one unambiguous framing', async () => {
  const path = lab.path();
  lab.origin.on(path, echo);
  const client = await lab.connect();
  client.request(path, { method: 'PUT', fields: { 'Transfer-Encoding': 'chunked' } });
  client.content('one ').content('two').endContent();
  expectWhole(await client.response(), 200, 'one two');
  const [request] = lab.origin.requestsFor(path);
  assert.notEqual(request.has('content-length'), request.has('transfer-encoding'));
});

test('the body streams: the origin reads the first part before the client sends the last', async () => {
  const path = lab.path();
  lab.origin.on(path, echo);
  for (const fields of [{ 'Content-Length': '9' }, { 'Transfer-Encoding': 'chunked' }]) {
    const chunked = 'Transfer-Encoding' in fields;
    const client = await lab.connect();
    client.request(path, { method: 'POST', fields });
    client.content('first');
    const request = (await lab.origin.received(path, chunked ? 2 : 1)).at(-1);
    await request.bodyReached(5);
    client.content('last').endContent();
    expectWhole(await client.response(), 200, 'firstlast');
  }
});

test('Expect: 100-continue is answered, and not sent twice', async () => {
  const path = lab.path();
  lab.origin.on(path, echo);
  const client = await lab.connect();
  client.request(path, { method: 'POST', fields: { Expect: '100-continue', 'Content-Length': '5' } });
  assert.equal((await client.interimHead()).status, 100);
  client.content('hello');
  const response = await client.response();
  expectWhole(response, 200, 'hello');
  assert.deepEqual(response.interim, []);
});

test('an unknown expectation is answered 417 or forwarded, never left hanging', async () => {
  const path = lab.path();
  lab.origin.on(path, echo);
  const response = await lab.get(path, { method: 'POST', fields: { Expect: 'the-unexpected' }, body: 'x' });
  assert.ok([200, 417].includes(response.status), response.head);
});

test('a body that arrives at once with its head needs no 100', async () => {
  const path = lab.path();
  lab.origin.on(path, echo);
  const response = await lab.get(path, { method: 'POST', fields: { Expect: '100-continue' }, body: 'hello' });
  expectWhole(response, 200, 'hello');
});

test('a client that leaves in the middle of its body: the origin never sees a whole request', async () => {
  const path = lab.path();
  lab.origin.on(path, echo);
  for (const fields of [{ 'Content-Length': '100' }, { 'Transfer-Encoding': 'chunked' }]) {
    const chunked = 'Transfer-Encoding' in fields;
    const client = await lab.connect();
    client.request(path, { method: 'POST', fields }).content('first');
    const request = (await lab.origin.received(path, chunked ? 2 : 1)).at(-1);
    await request.bodyReached(5);
    client.close();
    assert.equal(await request.whole(), false);
  }
});

for (const [title, bytes] of Object.entries({
  'a chunk size that is no number': 'xyz\r\nabc\r\n0\r\n\r\n',
  'a negative chunk size': '-1\r\nabc\r\n0\r\n\r\n',
  'a chunk size with 0x': '0x3\r\nabc\r\n0\r\n\r\n',
  'a chunk size beyond 64 bits': 'fffffffffffffffff\r\nabc\r\n0\r\n\r\n',
  'a chunk longer than its size': '2\r\nabc\r\n0\r\n\r\n',
  'a chunk that ends with a bare LF': '3\r\nabc\n0\r\n\r\n',
  'a chunk size line that ends with a bare LF': '3\nabc\r\n0\r\n\r\n',
  'an empty chunk size': '\r\nabc\r\n0\r\n\r\n',
  'white space before the chunk size': ' 3\r\nabc\r\n0\r\n\r\n',
  'a bare CR in a chunk extension': '3;a\rb\r\nabc\r\n0\r\n\r\n',
  'a bare LF in a chunk extension': '3;a\nb\r\nabc\r\n0\r\n\r\n',
})) {
  test(`G9: ${title}: the origin never sees a whole request`, notOverHttp2('it has no chunks'), async () => {
    const path = lab.path();
    lab.origin.on(path, echo);
    const client = await lab.connect();
    client.request(path, { method: 'POST', fields: { 'Transfer-Encoding': 'chunked' } });
    client.send(chunk('good')).send(bytes);
    const response = await client.response();
    assert.equal(response.status, 400, response.head);
    await client.closed();
    for (const request of lab.origin.requestsFor(path)) assert.equal(await request.whole(), false);
  });
}

test('a client that half-closes in the middle of its body is told so at once', notOverHttp2('its connections have no half-close'), async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => { await request.whole(); reply.send(200, {}, 'x'); });
  const client = await lab.connect();
  client.request(path, { method: 'POST', fields: { 'Content-Length': '100' } }).send('only this').end();
  const response = await client.response();
  assert.equal(response.status, 400, response.head);
  for (const request of lab.origin.requestsFor(path)) assert.equal(await request.whole(), false);
});

test('the origin answers before the body is there: the client gets the answer', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => { reply.send(413, { Connection: 'close', 'Cache-Control': 'no-store' }, 'too much').end(); });
  const client = await lab.connect();
  client.request(path, { method: 'POST', fields: { 'Content-Length': '1000000' } }).content('a'.repeat(1000));
  const response = await client.response();
  expectWhole(response, 413, 'too much');
});

test('after an early answer the rest of the body is never taken for a request', notOverHttp2('content stands in frames of its stream'), async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => reply.send(403, { 'Cache-Control': 'no-store' }, 'no'));
  const client = await lab.connect();
  const smuggled = `GET ${path}-smuggled HTTP/1.1\r\nHost: a\r\n\r\n`;
  client.request(path, { method: 'POST', fields: { 'Content-Length': String(smuggled.length + 10) } }).send('0123456789');
  expectWhole(await client.response(), 403, 'no');
  client.socket.on('error', () => {});
  client.send(smuggled);
  client.end();
  await client.closed();
  assert.equal(lab.origin.requestsFor(`${path}-smuggled`).length, 0);
});

test('a large upload to an origin that does not read: the client is held back, memory stays bounded, then all of it arrives', async (t) => {
  const own = await ownLab(t);
  const size = 64 * 1024 * 1024;
  const part = Buffer.alloc(1024 * 1024, 'u');
  const { opened, open } = gate();
  own.origin.keepBodies = false;
  own.origin.on('/up', async (request, reply) => {
    request.pauseReading();
    await opened;
    request.resumeReading();
    await request.whole();
    reply.send(200, { 'Cache-Control': 'no-store' }, String(request.bodyBytes));
  });
  const before = own.edge.memory();
  const client = await own.connect();
  client.request('/up', { method: 'POST', fields: { 'Content-Length': String(size) } });
  await own.origin.received('/up');
  let sent = 0;
  let held = false;
  const sending = (async () => {
    for (; sent < size; sent += part.length) await client.sent(part);
  })();
  // The kernel's buffers on both ways take a few MiB; when nothing has moved for a while, the edge holds the client back.
  for (let last = -1; !held;) {
    last = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
    held = sent === last;
  }
  assert.ok(sent < size, 'all of the body went somewhere');
  own.edge.expectGrownBy(before, 32 * 1024 * 1024);
  open();
  await sending;
  expectWhole(await client.response(), 200, String(size));
});

test('a GET with a body is passed with its body, never stored and never answered from the store', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    reply.send(200, { 'Cache-Control': 'max-age=60' }, `n${lab.origin.requestsFor(path).length} ${request.body}`);
  });
  expectWhole(await lab.get(path, { body: 'a' }), 200, 'n1 a');
  expectWhole(await lab.get(path, { body: 'a' }), 200, 'n2 a');
  expectWhole(await lab.get(path), 200, 'n3 ');
  expectWhole(await lab.get(path), 200, 'n3 ');
  expectWhole(await lab.get(path, { body: 'a' }), 200, 'n4 a');
});
