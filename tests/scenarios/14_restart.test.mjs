// What was stored is there after a restart, in order or by kill -9 (G11), and a cache directory has one owner.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { Edge, runToEnd, temporaryDirectory } from '../support/edge.mjs';
import { expectForwarded, expectHit, expectRevalidated, expectWhole } from '../support/expect.mjs';
import { ownLab } from '../support/lab.mjs';
import { notOverHttp2 } from '../support/protocol.mjs';
import { gate } from '../support/waiting.mjs';

// Bodies that say what they are: small, and over several chunks.
const bodies = { '/small': 'a small body', '/large': Buffer.alloc(1_500_000, 'large ').toString(), '/empty': '' };

// The port is another after a restart, so the host is named.
const host = 'restart.example';

async function storeAll(lab) {
  for (const [path, body] of Object.entries(bodies)) {
    lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=600', ETag: `"${path}"`, 'X-Field': path }, body });
    await lab.store(path, { host });
  }
}

async function labWithStored(t, options) {
  const lab = await ownLab(t, options);
  await storeAll(lab);
  return lab;
}

async function expectAllHit(lab) {
  for (const [path, body] of Object.entries(bodies)) {
    const response = await lab.get(path, { host });
    expectHit(response);
    expectWhole(response, 200, body);
    assert.equal(response.field('x-field'), path);
    assert.equal(response.field('etag'), `"${path}"`);
  }
  for (const path of Object.keys(bodies)) assert.equal(lab.origin.requestsFor(path).length, 1);
}

test('G11: SIGTERM, then a start on the same directory: hits from disk', async (t) => {
  const lab = await labWithStored(t);
  await lab.edge.stopForRestart();
  await lab.edge.spawn();
  await expectAllHit(lab);
  assert.ok((await lab.edge.metrics()).sum('freshet_disk_hits_total') >= 1, 'they came from disk');
});

test('G11: a second restart finds what the first one found', async (t) => {
  const lab = await labWithStored(t);
  for (let i = 0; i < 3; ++i) {
    await lab.edge.stopForRestart();
    await lab.edge.spawn();
  }
  await expectAllHit(lab);
});

test('G11: kill -9 later than the loss bound: hits from disk', async (t) => {
  const lab = await labWithStored(t, { settings: { 'cache.loss_bound': '200ms' } });
  // The bound is one of time, so time has to pass.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await lab.edge.kill();
  await lab.edge.spawn();
  await expectAllHit(lab);
});

test('G2: kill -9 while a body arrives: it is not there after the restart', async (t) => {
  const lab = await ownLab(t, { settings: { 'cache.loss_bound': '200ms' } });
  const { opened, open } = gate();
  let first = true;
  lab.origin.on('/half', async (request, reply) => {
    if (!first) return reply.send(200, { 'Cache-Control': 'max-age=600' }, 'whole');
    first = false;
    reply.head(200, { 'Cache-Control': 'max-age=600', 'Content-Length': '2000000' }).write(Buffer.alloc(1_000_000, 'h'));
    await opened;
    return reply.destroy();
  });
  const client = await lab.connect();
  const response = await client.request('/half', { host }).responseHead();
  while (client.in.total < 500_000) await client.bodyPart(response);
  await lab.edge.kill();
  open();
  assert.equal((await client.finishBody(response)).complete, false);
  await lab.edge.spawn();
  const again = await lab.get('/half', { host });
  expectForwarded(again);
  expectWhole(again, 200, 'whole');
});

test('G11: what a 304 freshened is fresh after a restart', async (t) => {
  const lab = await ownLab(t);
  lab.origin.on('/', (request, reply) => {
    if (request.has('if-none-match')) reply.send(304, { 'Cache-Control': 'max-age=600', ETag: '"v1"', 'X-Field': 'new' });
    else reply.send(200, { 'Cache-Control': 'max-age=60', Age: '100', ETag: '"v1"', 'X-Field': 'old' }, 'body');
  });
  await lab.store('/', { host });
  expectRevalidated(await lab.get('/', { host }));
  await lab.edge.stopForRestart();
  await lab.edge.spawn();
  const response = await lab.get('/', { host });
  expectHit(response);
  expectWhole(response, 200, 'body');
  assert.equal(response.field('x-field'), 'new');
});

test('G4: what an unsafe method invalidated stays invalidated after a restart', async (t) => {
  const lab = await ownLab(t);
  lab.origin.on('/', async (request, reply) => { await request.whole(); reply.send(200, { 'Cache-Control': 'max-age=600' }, request.method); });
  await lab.store('/', { host });
  await lab.get('/', { host, method: 'POST', body: 'x' });
  await lab.edge.stopForRestart();
  await lab.edge.spawn();
  expectForwarded(await lab.get('/', { host }));
});

test('G4: a part of what an unsafe method invalidated is gone after a restart too', async (t) => {
  const lab = await ownLab(t);
  lab.origin.on('/', async (request, reply) => {
    await request.whole();
    const fields = { 'Cache-Control': 'max-age=600', ETag: '"v"' };
    if (!request.has('range')) return reply.send(200, request.method === 'GET' ? fields : {}, request.method);
    return reply.send(206, { ...fields, 'Content-Range': 'bytes 990-999/1000' }, '0123456789');
  });
  const part = { host, fields: { Range: 'bytes=-10' } };
  assert.equal((await lab.get('/', part)).status, 206);
  expectHit(await lab.get('/', part));
  await lab.get('/', { host, method: 'DELETE' });
  await lab.edge.stopForRestart();
  await lab.edge.spawn();
  expectForwarded(await lab.get('/', part));
});

test('variants are found again after a restart', async (t) => {
  const lab = await ownLab(t);
  lab.origin.on('/', (request, reply) => reply.send(200, { 'Cache-Control': 'max-age=600', Vary: 'X-V' }, request.field('x-v')));
  const ask = (v) => lab.get('/', { host, fields: { 'X-V': v } });
  for (const v of ['a', 'b']) await ask(v);
  await lab.edge.stopForRestart();
  await lab.edge.spawn();
  for (const v of ['a', 'b']) {
    const response = await ask(v);
    expectHit(response);
    expectWhole(response, 200, v);
  }
});

test('a response larger than the memory tier is served whole from disk', async (t) => {
  const lab = await labWithStored(t, { settings: { 'cache.memory': '1MiB' } });
  for (let i = 0; i < 20; ++i) {
    lab.origin.on(`/fill-${i}`, { fields: { 'Cache-Control': 'max-age=600' }, body: Buffer.alloc(200_000, String(i)) });
    await lab.store(`/fill-${i}`);
  }
  for (const [path, body] of Object.entries(bodies)) expectWhole(await lab.get(path, { host }), 200, body);
  for (let i = 0; i < 20; ++i) expectWhole(await lab.get(`/fill-${i}`), 200, Buffer.alloc(200_000, String(i)));
});

test('G10: SIGTERM ends the process with status 0 only after the response in progress', async (t) => {
  const lab = await ownLab(t);
  const { opened, open } = gate();
  lab.origin.on('/', async (_, reply) => {
    reply.head(200, { 'Content-Length': '9' }).write('first');
    await opened;
    reply.write('last');
  });
  const client = await lab.connect();
  const response = await client.request('/').responseHead();
  await client.bodyUntil(response, 'first');
  lab.edge.child.kill('SIGTERM');
  await lab.edge.logLine(/drain|stop|shut|end/i);
  open();
  expectWhole(await client.finishBody(response), 200, 'firstlast');
  await client.closed();
  await lab.edge.exited;
  assert.equal(lab.edge.exit.status, 0);
});

test('G2: what the end of the drain cuts does not look whole to an HTTP/1.0 client, for whom the connection\'s end is the framing', notOverHttp2('it has one version'), async (t) => {
  const lab = await ownLab(t, { settings: { 'server.drain_timeout': '200ms' } });
  lab.origin.on('/', (_, reply) => { reply.head(200, { 'Cache-Control': 'no-store', 'Transfer-Encoding': 'chunked' }).chunk('first'); });
  const client = await lab.connect();
  const response = await client.request('/', { version: '1.0' }).responseHead();
  assert.equal(response.framing, 'close');
  await client.bodyUntil(response, 'first');
  const stopped = lab.edge.stop();
  await client.finishBody(response);
  assert.equal(response.complete, false);
  assert.equal(client.in.error?.code, 'ECONNRESET');
  await stopped;
});

test('G10: SIGTERM closes idle connections and ends', async (t) => {
  const lab = await ownLab(t);
  lab.origin.on('/', { body: 'x' });
  const client = await lab.connect();
  await client.request('/').response();
  const never = await lab.connect();
  await lab.edge.stopForRestart();
  await client.closed();
  await never.closed();
});

test('SIGINT ends it as SIGTERM does', async (t) => {
  const lab = await ownLab(t);
  lab.edge.child.kill('SIGINT');
  await lab.edge.exited;
  assert.equal(lab.edge.exit.status, 0);
});

test('a second edge on the same cache directory refuses to start, with exit status 2; the first is undisturbed', async (t) => {
  const lab = await labWithStored(t);
  const second = await runToEnd(['run', '--origin', lab.origin.url, '--listen', '127.0.0.1:0', '--cache-dir', lab.edge.cacheDir]);
  assert.equal(second.status, 2, second.stderr);
  assert.ok(second.stderr.includes(lab.edge.cacheDir), second.stderr);
  expectHit(await lab.get('/small', { host }));
});

test('several edges run side by side on directories of their own', async (t) => {
  const lab = await labWithStored(t);
  const cacheDir = temporaryDirectory();
  t.after(() => fs.rmSync(cacheDir, { recursive: true, force: true }));
  const other = await Edge.start({ origin: lab.origin.url, cacheDir });
  try {
    expectForwarded(await other.get('/small', { host }));
    expectHit(await lab.get('/small', { host }));
  } finally {
    await other.stop();
  }
});
