// Keep-alive, pipelining, HTTP/1.0 and the end of connections (RFC 9112 section 9).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectClosed, expectWhole } from '../support/expect.mjs';
import { sharedLab } from '../support/lab.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const noStore = { 'Cache-Control': 'no-store' };

test('many requests, one after the other, on one connection', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => reply.send(200, noStore, request.target));
  const client = await lab.connect();
  for (let i = 0; i < 50; ++i) expectWhole(await client.request(`${path}?${i}`).response(), 200, `${path}?${i}`);
});

test('the edge keeps its connections to the origin and uses them again', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => reply.send(200, noStore, 'x'));
  const client = await lab.connect();
  await client.request(path).response();
  const before = lab.origin.connections;
  for (let i = 0; i < 20; ++i) await client.request(path).response();
  assert.ok(lab.origin.connections - before < 20, `${lab.origin.connections - before} new connections for 20 requests`);
});

test('pipelined requests are answered in order, whatever order the origin answers in', async () => {
  const slow = lab.path('slow');
  const fast = lab.path('fast');
  const { opened, open } = gate();
  lab.origin.on(slow, async (_, reply) => { await opened; reply.send(200, noStore, 'slow'); });
  lab.origin.on(fast, { fields: { 'Cache-Control': 'max-age=60' }, body: 'fast' });
  await lab.store(fast);
  const client = await lab.connect();
  client.request(slow).request(fast).request(fast, { method: 'HEAD' }).request(`${fast}?2`);
  await lab.origin.received(slow);
  open();
  expectWhole(await client.response(), 200, 'slow');
  expectWhole(await client.response(), 200, 'fast');
  assert.equal((await client.response()).status, 200);
  expectWhole(await client.response(), 200, 'fast');
});

test('a hundred pipelined requests in one write', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60' }, body: 'x' });
  await lab.store(path);
  const client = await lab.connect();
  client.send(`GET ${path} HTTP/1.1\r\nHost: ${lab.edge.authority}\r\n\r\n`.repeat(100));
  for (let i = 0; i < 100; ++i) expectWhole(await client.response('GET'), 200, 'x');
});

test('a request that arrives while the body before it still streams is answered after it', async () => {
  const path = lab.path();
  const next = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { 'Content-Length': '9', ...noStore }).write('first');
    await opened;
    reply.write('last');
  });
  lab.origin.on(next, { fields: noStore, body: 'next' });
  const client = await lab.connect();
  client.request(path);
  const response = await client.responseHead();
  await client.bodyUntil(response, 'first');
  client.request(next);
  open();
  expectWhole(await client.finishBody(response), 200, 'firstlast');
  expectWhole(await client.response(), 200, 'next');
});

test('a pipelined request after a request body', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => { await request.whole(); reply.send(200, noStore, `${request.method} ${request.body}`); });
  const client = await lab.connect();
  client.request(path, { method: 'POST', body: 'one' }).request(path).request(path, { method: 'POST', body: 'two' });
  expectWhole(await client.response(), 200, 'POST one');
  expectWhole(await client.response(), 200, 'GET ');
  expectWhole(await client.response(), 200, 'POST two');
});

test('"Connection: close" of the client is obeyed', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: noStore, body: 'x' });
  const client = await lab.connect();
  const response = await client.request(path, { fields: { Connection: 'close' } }).response();
  expectWhole(response, 200, 'x');
  assert.match(response.field('connection') ?? '', /close/i);
  await expectClosed(client);
});

test('HTTP/1.0 is answered and the connection closed', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: noStore, body: 'x' });
  const client = await lab.connect();
  expectWhole(await client.request(path, { version: '1.0' }).response(), 200, 'x');
  await expectClosed(client);
});

test('HTTP/1.0 without Host is answered', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: noStore, body: 'x' });
  const client = await lab.connect();
  client.send(`GET ${path} HTTP/1.0\r\n\r\n`);
  expectWhole(await client.response(), 200, 'x');
  assert.equal(lab.origin.requestsFor(path)[0].fields.filter(([n]) => n.toLowerCase() === 'host').length, 1);
});

test('an HTTP/1.0 client is never sent chunks (RFC 9112 section 7)', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.head(200, { 'Transfer-Encoding': 'chunked', ...noStore });
    reply.chunk('one').chunk('two').lastChunk();
  });
  const client = await lab.connect();
  const response = await client.request(path, { version: '1.0' }).response();
  assert.equal(response.has('transfer-encoding'), false);
  expectWhole(response, 200, 'onetwo');
});

test('the version of the edge\'s responses is its own, 1.1, and so is that of its requests', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: noStore, body: 'x' });
  const client = await lab.connect();
  assert.equal((await client.request(path, { version: '1.0' }).response()).version, '1.1');
  assert.equal(lab.origin.requestsFor(path)[0].version, 'HTTP/1.1');
});

test('a client that half-closes after its request gets its response', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => { await opened; reply.send(200, noStore, 'late'); });
  const client = await lab.connect();
  client.request(path).end();
  await lab.origin.received(path);
  open();
  expectWhole(await client.response(), 200, 'late');
  await expectClosed(client);
});

test('an origin that closes an idle connection costs the client nothing', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => { reply.send(200, noStore, 'x'); reply.end(); });
  const client = await lab.connect();
  for (let i = 0; i < 5; ++i) expectWhole(await client.request(path).response(), 200, 'x');
});

test('a POST on a stale origin connection is not sent twice', async () => {
  const path = lab.path();
  let seen = 0;
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    if (++seen === 1) reply.send(200, noStore, 'first');
    else reply.reset();
  });
  const client = await lab.connect();
  expectWhole(await client.request(path, { method: 'POST', body: 'a' }).response(), 200, 'first');
  const response = await client.request(path, { method: 'POST', body: 'b' }).response();
  assert.equal(response.status, 502);
  assert.equal(lab.origin.requestsFor(path).length, 2);
});

test('a client that half-closes after several requests gets all its responses', async () => {
  const paths = [lab.path(), lab.path(), lab.path()];
  const { opened, open } = gate();
  for (const path of paths) lab.origin.on(path, async (_, reply) => { await opened; reply.send(200, noStore, path); });
  const client = await lab.connect();
  for (const path of paths) client.request(path);
  client.end();
  await lab.origin.received(paths[0]);
  open();
  for (const path of paths) expectWhole(await client.response(), 200, path);
  await expectClosed(client);
});
