// Large responses in slices (RFC 9110 section 14, RFC 9111 section 3.4): the head is stored, the content as it is asked for; no answer mixes versions.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { Edge, temporaryDirectory } from '../support/edge.mjs';
import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';
import { Nginx } from '../support/nginx.mjs';
import { curlFlags, notOverHttp2 } from '../support/protocol.mjs';
import { gate } from '../support/waiting.mjs';

const kKiB = 1024;
const kMiB = 1024 * kKiB;
const kSlice = 64 * kKiB;
const settings = { 'cache.slice_above': '1M', 'cache.slice_size': '64K' };
const lab = sharedLab({ settings });

// Bytes that tell their place and their version.
function patterned(size, version = 1) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 4) bytes.writeUInt32LE(((i + version) * 2654435761) >>> 0, i);
  return bytes;
}

const rangeOf = (request) => /^bytes=(\d+)-(\d+)$/.exec(request.field('range'))?.slice(1).map(Number);

// A large file as a server with ranges gives it. `file` may change: {body, tag, fields, before}.
function serve(at, file) {
  lab.origin.on(at, async (request, reply) => {
    const { body, tag, fields = {}, before } = file;
    const all = { 'Cache-Control': 'max-age=60', 'Content-Type': 'text/plain', ETag: tag, ...fields };
    if (before) await before(request);
    if (request.field('if-none-match') === tag) return reply.send(304, all);
    const range = rangeOf(request);
    const condition = request.field('if-range');
    if (!range || (condition !== undefined && condition !== tag)) {
      request.connection.socket.on('error', () => {});
      return reply.send(200, all, request.method === 'HEAD' ? '' : body);
    }
    const last = Math.min(range[1], body.length - 1);
    reply.send(206, { ...all, 'Content-Range': `bytes ${range[0]}-${last}/${body.length}` }, body.subarray(range[0], last + 1));
  });
}

function sliced(size = 4 * kMiB, more = {}) {
  const at = lab.path();
  const file = { body: patterned(size), tag: '"1"', ...more };
  serve(at, file);
  return { at, file };
}

const ranged = (at, first, last, fields = {}) => lab.get(at, { fields: { Range: `bytes=${first}-${last}`, ...fields } });

function expectPart(response, body, first, last) {
  assert.equal(response.status, 206, response.head);
  assert.equal(response.complete, true);
  assert.equal(response.field('content-range'), `bytes ${first}-${last}/${body.length}`);
  assert.ok(response.body.equals(body.subarray(first, last + 1)), `${first}-${last} differs`);
}

const slicesOf = (at) => lab.origin.requestsFor(at).filter((request) => request.has('if-range')).map((request) => request.field('range'));

test('a range of a large response: the head is stored, the slices it touches are fetched, once', async () => {
  const { at, file } = sliced();
  const first = await ranged(at, 1000, kSlice + 9);
  expectPart(first, file.body, 1000, kSlice + 9);
  expectForwarded(first, 'partial');
  assert.deepEqual(slicesOf(at), [`bytes=0-${kSlice - 1}`, `bytes=${kSlice}-${2 * kSlice - 1}`]);
  assert.equal(lab.origin.requestsFor(at)[1].field('if-range'), '"1"');
  const asked = lab.origin.requestsFor(at).length;
  const again = await ranged(at, 0, 2 * kSlice - 1);
  expectHit(again);
  expectPart(again, file.body, 0, 2 * kSlice - 1);
  assert.equal(lab.origin.requestsFor(at).length, asked);
});

test('what is in no slice yet: Cache-Status says partial, the log why', async () => {
  const { at, file } = sliced();
  await ranged(at, 0, 9);
  const far = await ranged(at, 3 * kMiB, 3 * kMiB + 9);
  expectPart(far, file.body, 3 * kMiB, 3 * kMiB + 9);
  assert.equal(cacheStatus(far).fwd, 'partial');
});

test('a range far in on a miss: its answer makes the head, later ranges come in slices', async () => {
  const { at, file } = sliced();
  expectPart(await ranged(at, 3 * kMiB, 3 * kMiB + 9), file.body, 3 * kMiB, 3 * kMiB + 9);
  assert.equal(lab.origin.requestsFor(at).length, 1);
  expectPart(await ranged(at, 0, 9), file.body, 0, 9);
  assert.deepEqual(slicesOf(at), [`bytes=0-${kSlice - 1}`]);
});

test('the whole is served from slices as well, and several ranges are', async () => {
  const { at, file } = sliced();
  await ranged(at, 0, 9);
  expectWhole(await lab.get(at), 200, file.body);
  assert.equal(slicesOf(at).length, file.body.length / kSlice);
  const several = await lab.get(at, { fields: { Range: 'bytes=3000000-3000009,5-9' } });
  assert.equal(several.status, 206);
  expectHit(several);
  assert.ok(several.body.includes(file.body.subarray(3000000, 3000010)));
});

test('the last slice is shorter; suffixes and 416 are answered by the head', async () => {
  const { at, file } = sliced(2 * kMiB + 100);
  await ranged(at, 0, 9);
  const size = file.body.length;
  const last = await lab.get(at, { fields: { Range: 'bytes=-150' } });
  expectPart(last, file.body, size - 150, size - 1);
  assert.equal((await ranged(at, size, size + 5)).status, 416);
});

test('HEAD and If-None-Match are answered by the head alone', async () => {
  const { at, file } = sliced();
  await ranged(at, 0, 9);
  const asked = lab.origin.requestsFor(at).length;
  const head = await lab.get(at, { method: 'HEAD' });
  expectHit(head);
  assert.equal(head.field('content-length'), String(file.body.length));
  const conditional = await lab.get(at, { fields: { 'If-None-Match': '"1"' } });
  assert.equal(conditional.status, 304);
  assert.equal(lab.origin.requestsFor(at).length, asked);
});

test('a stale head is revalidated by a 304, its slices stay', async () => {
  const { at, file } = sliced(4 * kMiB, { fields: { Age: '60' } });
  await ranged(at, 0, 9);
  const slices = slicesOf(at).length;
  const again = await ranged(at, 10, 19);
  expectPart(again, file.body, 10, 19);
  assert.equal(cacheStatus(again)['fwd-status'], '304');
  assert.equal(slicesOf(at).length, slices);
});

test('many clients, one slice: one request', async () => {
  const { at, file } = sliced();
  await ranged(at, 0, 9);
  const { opened, open } = gate();
  file.before = () => opened;
  const answers = Array.from({ length: 20 }, (_, i) => ranged(at, 2 * kMiB + i, 2 * kMiB + 99));
  await lab.origin.received(at, 3);
  open();
  for (const [i, answer] of (await Promise.all(answers)).entries()) expectPart(answer, file.body, 2 * kMiB + i, 2 * kMiB + 99);
  assert.equal(slicesOf(at).filter((range) => range.startsWith(`bytes=${2 * kMiB}-`)).length, 1);
});

test('many clients on a miss: one request for the head, one for each slice', async () => {
  const { at, file } = sliced();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ranged(at, i * 1000, kSlice + 99)));
  for (const [i, answer] of answers.entries()) expectPart(answer, file.body, i * 1000, kSlice + 99);
  assert.equal(slicesOf(at).length, 2);
  assert.equal(lab.origin.requestsFor(at).length, 3);
});

test('changed at the origin before the first byte: the answer is of the new version', async () => {
  const { at, file } = sliced();
  expectPart(await ranged(at, 0, 9), file.body, 0, 9);
  file.body = patterned(4 * kMiB, 2);
  file.tag = '"2"';
  const answer = await ranged(at, 2 * kMiB, 2 * kMiB + 9);
  expectPart(answer, file.body, 2 * kMiB, 2 * kMiB + 9);
  assert.equal(answer.field('etag'), '"2"');
  expectPart(await ranged(at, 0, 9), file.body, 0, 9);
});

test('changed while it is being sent: the transfer breaks, nothing is mixed', async () => {
  const { at, file } = sliced();
  await ranged(at, 0, 9);
  const old = file.body;
  let slices = 0;
  file.before = (request) => {
    if (request.has('if-range') && ++slices === 3) {
      file.body = patterned(4 * kMiB, 2);
      file.tag = '"2"';
      // This very request sees the new version.
      serve(at, file);
    }
  };
  lab.origin.on(at, ((handler) => handler)(async (request, reply) => {
    file.before?.(request);
    const range = rangeOf(request);
    const all = { 'Cache-Control': 'max-age=60', ETag: file.tag };
    if (range && request.field('if-range') === file.tag) {
      return reply.send(206, { ...all, 'Content-Range': `bytes ${range[0]}-${range[1]}/${file.body.length}` }, file.body.subarray(range[0], range[1] + 1));
    }
    request.connection.socket.on('error', () => {});
    reply.send(200, all, file.body);
  }));
  const answer = await lab.get(at);
  assert.equal(answer.complete, false);
  assert.ok(answer.body.equals(old.subarray(0, answer.body.length)));
  expectWhole(await lab.get(at), 200, file.body);
});

test('the origin is down: 502 for a slice that is not stored, the others are served, the head stays', async (t) => {
  const own = await ownLab(t, { settings });
  const body = patterned(2 * kMiB);
  own.origin.on('/f', (request, reply) => {
    const range = rangeOf(request);
    if (own.failing) return reply.send(503, {}, 'no');
    const all = { 'Cache-Control': 'max-age=60', ETag: '"1"' };
    request.connection.socket.on('error', () => {});
    if (!range || !request.has('if-range')) return reply.send(200, all, body);
    reply.send(206, { ...all, 'Content-Range': `bytes ${range[0]}-${range[1]}/${body.length}` }, body.subarray(range[0], range[1] + 1));
  });
  const get = (a, b) => own.get('/f', { fields: { Range: `bytes=${a}-${b}` } });
  expectPart(await get(0, 9), body, 0, 9);
  own.failing = true;
  assert.equal((await get(kMiB, kMiB + 9)).status, 502);
  expectHit(await get(0, 9));
  own.failing = false;
  expectPart(await get(kMiB, kMiB + 9), body, kMiB, kMiB + 9);
});

test('an origin that gives the whole for a slice: passed through from then on', async () => {
  const at = lab.path();
  const body = patterned(2 * kMiB);
  lab.origin.on(at, (request, reply) => {
    request.connection.socket.on('error', () => {});
    reply.send(200, { 'Cache-Control': 'max-age=60', ETag: '"1"' }, body);
  });
  for (let i = 0; i < 3; ++i) expectPart(await ranged(at, 1000, 1999), body, 1000, 1999);
});

for (const [why, fields] of [['a weak tag', { ETag: 'W/"1"' }], ['no tag', { ETag: undefined }], ['Accept-Ranges: none', { 'Accept-Ranges': 'none' }]]) {
  test(`${why}: no slices, the whole is fetched`, async () => {
    const at = lab.path();
    const body = patterned(2 * kMiB);
    const all = Object.fromEntries(Object.entries({ 'Cache-Control': 'max-age=60', ETag: '"1"', ...fields }).filter(([, value]) => value !== undefined));
    lab.origin.on(at, { fields: all, body });
    expectPart(await ranged(at, 10, 19), body, 10, 19);
    assert.equal(lab.origin.requestsFor(at).length, 1);
    assert.equal(slicesOf(at).length, 0);
  });
}

test('a purge takes the slices with the head', async () => {
  const { at, file } = sliced();
  expectPart(await ranged(at, 0, 9), file.body, 0, 9);
  const bad = await lab.get(at, { method: 'DELETE' });
  assert.equal(bad.status, 200);
  // The same tag for other bytes: only what was fetched before the purge would show.
  file.body = patterned(4 * kMiB, 2);
  expectPart(await ranged(at, 0, 9), file.body, 0, 9);
});

test('a client that leaves in the middle costs at most what was asked for', async () => {
  const { at, file } = sliced();
  await ranged(at, 0, 9);
  const client = await lab.connect();
  const response = await client.request(at).responseHead();
  await client.bodyPart(response);
  client.close();
  expectPart(await ranged(at, 0, 9), file.body, 0, 9);
});

test('HTTP/1.0 clients', notOverHttp2('it has one version'), async () => {
  const { at, file } = sliced();
  await ranged(at, 0, 9);
  const response = await lab.get(at, { version: '1.0', fields: { Range: 'bytes=70000-70009' } });
  expectPart(response, file.body, 70000, 70009);
});

test('nginx: random ranges compare equal with the file, also by curl, also after a restart', async (t) => {
  const nginx = await Nginx.start({ server: (n) => `root ${n.prefix}/www; add_header Cache-Control max-age=60;` });
  t.after(() => nginx.stop());
  // The port is another after a restart, so the host is named.
  const host = 'slices.example';
  const body = patterned(8 * kMiB);
  nginx.write('large.bin', body);
  const cacheDir = temporaryDirectory('freshet-slices-');
  t.after(() => fs.rmSync(cacheDir, { recursive: true, force: true }));
  const start = () => Edge.start({ origin: nginx.url, settings, cacheDir });
  let edge = await start();
  const check = async (count) => {
    for (let i = 0; i < count; ++i) {
      const first = Math.floor(Math.random() * body.length);
      const last = Math.min(body.length - 1, first + Math.floor(Math.random() * 300000));
      expectPart(await edge.get('/large.bin', { host, fields: { Range: `bytes=${first}-${last}` } }), body, first, last);
    }
  };
  try {
    await check(60);
    const out = path.join(cacheDir, 'part');
    await promisify(execFile)('curl', ['-sf', ...curlFlags(), '-H', `Host: ${host}`, '-r', '1000000-2999999', '-o', out, `${edge.url}/large.bin`]);
    assert.ok(fs.readFileSync(out).equals(body.subarray(1000000, 3000000)));
    await edge.stop();
    edge = await start();
    // Head and slices are on disk.
    const response = await edge.get('/large.bin', { host, fields: { Range: 'bytes=1500000-1500099' } });
    expectPart(response, body, 1500000, 1500099);
    expectHit(response);
    await check(20);
  } finally {
    await edge.stop();
  }
});

test('nginx: the file changes half-way, no answer mixes versions', async (t) => {
  const nginx = await Nginx.start({ server: (n) => `root ${n.prefix}/www; add_header Cache-Control max-age=60;` });
  t.after(() => nginx.stop());
  const versions = [patterned(8 * kMiB, 1), patterned(8 * kMiB, 2)];
  nginx.write('large.bin', versions[0], new Date(Date.now() - 100000));
  const edge = await Edge.start({ origin: nginx.url, settings });
  try {
    let broken = 0;
    for (let i = 0; i < 60; ++i) {
      if (i === 30) nginx.write('large.bin', versions[1]);
      const first = Math.floor(Math.random() * versions[0].length);
      const last = Math.min(versions[0].length - 1, first + Math.floor(Math.random() * 500000));
      const response = await edge.get('/large.bin', { fields: { Range: `bytes=${first}-${last}` } });
      assert.equal(response.status, 206, response.head);
      if (!response.complete) ++broken;
      const matches = versions.some((version) => response.body.equals(version.subarray(first, first + response.body.length)));
      assert.ok(matches, `request ${i} mixes versions`);
    }
    assert.ok(broken <= 1, `${broken} transfers broke`);
    expectWhole(await edge.get('/large.bin'), 200, versions[1]);
  } finally {
    await edge.stop();
  }
});
