// A slow or silent client costs a bounded buffer and bounded time, and nobody else waits for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab } from '../support/lab.mjs';
import { notOverHttp2, overHttp2 } from '../support/protocol.mjs';
import { gate } from '../support/waiting.mjs';

const mib = 1024 * 1024;
const part = Buffer.alloc(mib, 'd');

// An origin path with a body of n MiB that is produced only as fast as the edge takes it; progress.sent counts.
function large(lab, path, n, fields) {
  const progress = { sent: 0 };
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { ...fields, 'Content-Length': String(n * mib) });
    for (let i = 0; i < n && !reply.socket.destroyed; ++i) {
      await Promise.race([reply.written(part), reply.request.gone()]);
      progress.sent += mib;
    }
  });
  return progress;
}

// Resolves when the origin has not got rid of anything for a while: the edge holds it back.
async function heldBack(progress) {
  for (let last = -1; last !== progress.sent;) {
    last = progress.sent;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function countBody(client, response) {
  let bytes = 0;
  for (;;) {
    const piece = await client.bodyPart(response);
    if (piece === undefined) return bytes;
    bytes += piece.length;
  }
}

test('a large body to a client that does not read: the origin is held back, memory stays bounded, another client is unaffected, then all arrives', async (t) => {
  const lab = await ownLab(t, { workers: 1 });
  const size = 128;
  const progress = large(lab, '/large', size, { 'Cache-Control': 'no-store' });
  lab.origin.on('/small', { fields: { 'Cache-Control': 'max-age=60' }, body: 'small' });
  await lab.store('/small');
  const before = lab.edge.memory();
  const slow = await lab.connect();
  const response = await slow.request('/large').responseHead();
  slow.pause();
  await heldBack(progress);
  assert.ok(progress.sent < size * mib, 'all of the body went somewhere');
  lab.edge.expectGrownBy(before, 48 * mib);
  const other = await lab.get('/small');
  expectHit(other);
  expectWhole(other, 200, 'small');
  slow.resume();
  assert.equal(await countBody(slow, response), size * mib);
});

test('a slow reader of a stored body gets all of it', async (t) => {
  const lab = await ownLab(t);
  large(lab, '/large', 24, { 'Cache-Control': 'max-age=60' });
  const first = await lab.connect();
  assert.equal(await countBody(first, await first.request('/large').responseHead()), 24 * mib);
  const slow = await lab.connect();
  const response = await slow.request('/large').responseHead();
  let bytes = 0;
  for (;;) {
    slow.pause();
    await new Promise((resolve) => setImmediate(resolve));
    slow.resume();
    const piece = await slow.bodyPart(response);
    if (piece === undefined) break;
    bytes += piece.length;
  }
  assert.equal(bytes, 24 * mib);
});

test('send timeout: a client that takes nothing is cut, and the access log says so', async (t) => {
  const lab = await ownLab(t, { settings: { 'server.send_timeout': '500ms' } });
  large(lab, '/large', 64, { 'Cache-Control': 'no-store' });
  const client = await lab.connect();
  const response = await client.request('/large').responseHead();
  client.pause();
  await lab.edge.accessLine((line) => line.target.endsWith('/large') && line.broken === true);
  client.resume();
  await client.finishBody(response);
  assert.equal(response.complete, false);
});

test('head timeout: a head that does not end closes the connection', notOverHttp2('scenario 46 has it'), async (t) => {
  const lab = await ownLab(t, { settings: { 'server.head_timeout': '300ms' } });
  const client = await lab.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nX-Unfinished: ');
  await client.closed();
  if (client.in.available > 0) assert.equal((await client.response()).status, 408);
  assert.equal(lab.origin.requests.length, 0);
});

test('head timeout: bytes that trickle in do not prolong it', notOverHttp2('scenario 46 has it'), async (t) => {
  const lab = await ownLab(t, { settings: { 'server.head_timeout': '400ms' } });
  const client = await lab.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\nX: ');
  const trickle = setInterval(() => client.send('y'), 50);
  client.socket.on('error', () => {});
  await client.closed().finally(() => clearInterval(trickle));
  assert.equal(lab.origin.requests.length, 0);
});

test('idle timeout: a kept connection without a request is closed in order, without a response', async (t) => {
  const lab = await ownLab(t, { settings: { 'server.idle_timeout': '300ms' } });
  lab.origin.on('/', { fields: { 'Cache-Control': 'max-age=60' }, body: 'x' });
  const client = await lab.connect();
  expectWhole(await client.request('/').response(), 200, 'x');
  await client.closed();
  assert.equal(client.in.available, 0);
  assert.equal(client.in.error, undefined, 'not by reset');
});

test('idle timeout does not count while a response is waited for', async (t) => {
  const lab = await ownLab(t, { settings: { 'server.idle_timeout': '200ms', 'server.head_timeout': '200ms' } });
  const { opened, open } = gate();
  lab.origin.on('/', async (_, reply) => { await opened; reply.send(200, {}, 'late'); });
  const waiting = await lab.connect();
  const idle = await lab.connect();
  waiting.request('/');
  await lab.origin.received('/');
  await idle.closed();
  open();
  expectWhole(await waiting.response(), 200, 'late');
});

test('body timeout: a request body that makes no progress ends its request, the origin never sees it whole', async (t) => {
  const lab = await ownLab(t, { settings: { 'server.body_timeout': '300ms' } });
  lab.origin.on('/', async (request, reply) => { await request.whole(); reply.send(200, {}, 'x'); });
  const client = await lab.connect();
  client.request('/', { method: 'POST', fields: { 'Content-Length': '100' } }).content('only this');
  const [request] = await lab.origin.received('/');
  // Over HTTP/1 the connection with it, perhaps without an answer.
  if (!overHttp2) await client.closed();
  assert.equal(await request.whole(), false);
  if (overHttp2 || client.in.available > 0) assert.equal((await client.response('POST')).status, 408);
});

test('a client that resets in the middle of its response disturbs nobody', async (t) => {
  const lab = await ownLab(t);
  large(lab, '/large', 32, { 'Cache-Control': 'no-store' });
  lab.origin.on('/small', { body: 'small' });
  for (let i = 0; i < 10; ++i) {
    const client = await lab.connect();
    const response = await client.request('/large').responseHead();
    await client.bodyPart(response);
    client.reset();
    expectWhole(await lab.get('/small'), 200, 'small');
  }
});

// Resolves when the edge has stopped writing.
async function quiet(edge) {
  for (let last = -1; ;) {
    const now = (await edge.metrics()).sum('freshet_sent_bytes_total');
    if (now === last) return;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

// Clients that have asked for stored bodies of many sizes and read nothing yet: [[size, client], ...]. Of some size around the kernel's buffers, the
// answer's rest is all queued in the edge and its exchange is over.
async function clientsThatWait(lab) {
  const clients = [];
  for (let size = 256 * 1024; size <= 6 * mib; size += 256 * 1024) {
    lab.origin.on(`/${size}`, { fields: { 'Cache-Control': 'max-age=60' }, body: Buffer.alloc(size, 'h') });
    await lab.store(`/${size}`);
    const client = await lab.connect();
    client.pause().request(`/${size}`);
    clients.push([size, client]);
  }
  await quiet(lab.edge);
  return clients;
}

async function expectAllServed(clients) {
  for (const [size, client] of clients) {
    const response = await client.resume().response();
    assert.equal(response.body.length, size);
    assert.equal(response.complete, true);
  }
}

test('G2: a client that half-closes while its answer waits to be sent gets all of it', notOverHttp2('its connections have no half-close'), async (t) => {
  const lab = await ownLab(t, { workers: 1 });
  const clients = await clientsThatWait(lab);
  for (const [, client] of clients) client.end();
  for (let i = 0; i < 3; ++i) await lab.get('/262144');
  await expectAllServed(clients);
});

test('G10: a stop while answers wait to be sent: all of them arrive, then the edge ends without waiting for its idle clients', async (t) => {
  const lab = await ownLab(t, { workers: 1, settings: { 'server.drain_timeout': '1h', 'server.idle_timeout': '1h' } });
  const clients = await clientsThatWait(lab);
  const stopped = lab.edge.stopForRestart();
  await lab.edge.logLine(/stopping/);
  await expectAllServed(clients);
  await stopped;
  await lab.edge.spawn();
});

test('G6: a client that goes on asking and reads no answer is held back, memory stays bounded, then all answers arrive', notOverHttp2('its streams at once are bounded, scenario 46'), async (t) => {
  const lab = await ownLab(t, { workers: 1 });
  lab.origin.on('/', { fields: { 'Cache-Control': 'max-age=60' }, body: 'x' });
  await lab.store('/', { host: 'a' });
  const before = lab.edge.memory();
  const client = await lab.connect();
  client.pause();
  const burst = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2000);
  let asked = 0;
  let last = Promise.resolve();
  for (let held = false; !held && asked < 400_000; ) {
    last = client.sent(burst);
    asked += 2000;
    held = await Promise.race([last.then(() => false), new Promise((resolve) => setTimeout(resolve, 2000, true))]);
  }
  lab.edge.expectGrownBy(before, 48 * mib);
  client.resume();
  await last;
  const end = Buffer.from('\r\n\r\n');
  for (let answered = 0; answered < asked; ) {
    await client.in.until(() => client.in.available > 0 || client.in.ended, 'more answers');
    assert.equal(client.in.ended, false, `closed after ${answered} of ${asked} answers`);
    if (client.in.available < 4) { await client.in.until(() => client.in.available >= 4, 'an end'); }
    const text = await client.in.takeThrough('\r\n\r\n', 'an answer');
    assert.ok(text.subarray(0, 12).equals(Buffer.from('HTTP/1.1 200')));
    assert.ok(text.subarray(-4).equals(end));
    answered += 1;
  }
});

test('send timeout: a client that takes nothing cannot prolong it by sending', async (t) => {
  const lab = await ownLab(t, { settings: { 'server.send_timeout': '500ms' } });
  large(lab, '/large', 64, { 'Cache-Control': 'no-store' });
  const client = await lab.connect();
  await client.request('/large').responseHead();
  client.pause();
  client.socket.on('error', () => {});
  const trickle = setInterval(() => (overHttp2 ? client.session.ping(() => {}) : client.send('y')), 50);
  await lab.edge.accessLine((line) => line.target.endsWith('/large') && line.broken === true).finally(() => clearInterval(trickle));
});

test('server.head_timeout is the time of one head: a client that sends without a pause, in pieces that end inside heads, is not cut', notOverHttp2('a head is a frame'), async (t) => {
  const lab = await ownLab(t, { workers: 1, settings: { 'server.head_timeout': '500ms' } });
  lab.origin.on('/a', { fields: { 'Cache-Control': 'max-age=600' }, body: 'x' });
  await lab.store('/a', { host: 'a' });
  const request = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n';
  const client = await lab.connect();
  client.send(request.slice(0, 10));
  // The bound is one of time, so time has to pass.
  for (let i = 0; i < 20; ++i) {
    client.send(request.slice(10) + request.slice(0, 10));
    expectWhole(await client.response('GET'), 200, 'x');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});
