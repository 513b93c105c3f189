// What an HTTP/2 client may not do: malformed requests, floods, stalls. Each is bounded, counted, and ends the stream or the connection, no more.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import {
  CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FrameClient, GOAWAY, HEADERS, PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE,
  block, frame, preface, request, uint32,
} from '../support/h2_frames.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const fresh = { 'Cache-Control': 'max-age=60' };
const clients = [];
after(() => { for (const client of clients) client.close(); });

async function open(options = {}, edge = lab.edge) {
  const client = await FrameClient.open(edge.port, options);
  clients.push(client);
  return client;
}

async function stored(size = 5) {
  const path = lab.path();
  lab.origin.on(path, { fields: fresh, body: Buffer.alloc(size, 'x') });
  await lab.store(path, { host: 'edge.test' });
  return path;
}

const malformed = {
  'a name in upper case': (path) => [...request(path), ['Accept', 'x']],
  'a space in a name': (path) => [...request(path), ['a b', 'x']],
  'an empty name': (path) => [...request(path), ['', 'x']],
  'CR LF in a value': (path) => [...request(path), ['a', 'b\r\nc: d']],
  'NUL in a value': (path) => [...request(path), ['a', 'b\0c']],
  'whitespace before a value': (path) => [...request(path), ['a', ' b']],
  'Connection': (path) => [...request(path), ['connection', 'close']],
  'Keep-Alive': (path) => [...request(path), ['keep-alive', 'timeout=5']],
  'Proxy-Connection': (path) => [...request(path), ['proxy-connection', 'close']],
  'Transfer-Encoding': (path) => [...request(path), ['transfer-encoding', 'chunked']],
  'Upgrade': (path) => [...request(path), ['upgrade', 'websocket']],
  'TE other than trailers': (path) => [...request(path), ['te', 'gzip']],
  'no :method': (path) => request(path).slice(1),
  'no :scheme': (path) => request(path).filter(([name]) => name !== ':scheme'),
  'no :path': (path) => request(path).filter(([name]) => name !== ':path'),
  'no :authority and no Host': (path) => request(path).filter(([name]) => name !== ':authority'),
  'two :path': (path) => [...request(path), [':path', path]],
  'two :method': (path) => [[':method', 'GET'], ...request(path)],
  ':path behind a field': (path) => [...request(path).filter(([name]) => name !== ':path'), ['a', 'b'], [':path', path]],
  'an unknown pseudo-header field': (path) => [[':other', 'x'], ...request(path)],
  ':status in a request': (path) => [[':status', '200'], ...request(path)],
  ':protocol without CONNECT': (path) => [[':protocol', 'websocket'], ...request(path)],
  'an extended CONNECT, which is not offered': (path) => [[':protocol', 'websocket'], ...request(path, { method: 'CONNECT' })],
  'an empty :path': () => request(''),
  'a :path without a slash': () => request('x'),
  'a space in :path': (path) => request(`${path} x`),
  'a fragment in :path': (path) => request(`${path}#x`),
  'user information in :authority': (path) => request(path, { authority: 'user@edge.test' }),
  'a Host that is not :authority': (path) => [...request(path), ['host', 'other.test']],
  'two Content-Lengths': (path) => [...request(path), ['content-length', '0'], ['content-length', '0']],
  'a Content-Length that is none': (path) => [...request(path), ['content-length', '1x']],
  'a Content-Length over the content': (path) => [...request(path), ['content-length', '5']],
};

test('a malformed request ends its stream with PROTOCOL_ERROR, reaches no origin, and the connection goes on', async (t) => {
  const good = await stored();
  const client = await open();
  let stream = 1;
  for (const [what, fields] of Object.entries(malformed)) {
    await t.test(what, async () => {
      const path = lab.path();
      lab.origin.on(path, { fields: fresh, body: 'never' });
      client.headers(stream, fields(path), { endStream: true });
      assert.equal(await client.outcome(stream), PROTOCOL_ERROR);
      assert.equal(lab.origin.requestsFor(path).length, 0);
      client.headers(stream + 2, request(good), { endStream: true });
      assert.equal(await client.outcome(stream + 2), undefined);
      stream += 4;
    });
  }
});

test('content that is longer or shorter than its Content-Length ends the stream with PROTOCOL_ERROR', async () => {
  const path = lab.path();
  lab.origin.on(path, async (asked, reply) => { await asked.whole(); reply.send(200, fresh, 'x'); });
  const client = await open();
  const post = [...request(path, { method: 'POST' }), ['content-length', '3']];
  client.headers(1, post).data(1, 'ab', { endStream: true });
  assert.equal(await client.outcome(1), PROTOCOL_ERROR);
  client.headers(3, post).data(3, 'abcd', { endStream: true });
  assert.equal(await client.outcome(3), PROTOCOL_ERROR);
  client.headers(5, post).data(5, 'abc', { endStream: true });
  assert.equal(await client.outcome(5), undefined);
});

test('heads over the limits are answered, and the connection goes on', async () => {
  const good = await stored();
  const client = await open();
  const text = (size) => 'x'.repeat(size);
  client.headers(1, [...request(good), ['a', text(16_500)]].slice(0, 4), { endStream: true });
  assert.equal(await client.outcome(1), undefined);
  // A field over max_field, in two frames.
  const long = block([...request(good), ['a', text(17_000)]]);
  client.send(frame(HEADERS, END_STREAM, 3, long.subarray(0, 16_000))).send(frame(CONTINUATION, END_HEADERS, 3, long.subarray(16_000)));
  const head = await client.until((each) => each.type === HEADERS && each.stream === 3);
  assert.ok(head);
  const many = block([...request(good), ...Array.from({ length: 200 }, (_, i) => [`f${i}`, 'x'])]);
  client.send(frame(HEADERS, END_STREAM | END_HEADERS, 5, many));
  assert.equal(await client.outcome(5), undefined);
  client.headers(7, request(good), { endStream: true });
  assert.equal(await client.outcome(7), undefined);
  const statuses = (await Promise.all([1, 2].map((n) => lab.edge.accessLine((line) => line.status === 431, n)))).map((line) => line.status);
  assert.deepEqual(statuses, [431, 431]);
});

async function expectCalm(client, floods) {
  const last = await client.goaway();
  assert.ok(last, `no GOAWAY; ${client.frames.length} frames`);
  assert.equal(last.code, ENHANCE_YOUR_CALM);
  if (floods) await lab.edge.metricsWhen((metrics) => metrics.sum('freshet_http2_floods_total') >= floods);
  const again = await open();
  again.headers(1, request(await stored()), { endStream: true });
  assert.equal(await again.outcome(1), undefined);
}

test('rapid reset: 10,000 streams reset at once end the connection (CVE-2023-44487)', async () => {
  const path = await stored();
  const client = await open();
  const one = block(request(path));
  const all = [];
  for (let i = 0; i < 10_000; ++i) {
    const id = 2 * i + 1;
    all.push(frame(HEADERS, END_HEADERS | END_STREAM, id, one), frame(RST_STREAM, 0, id, uint32(8)));
  }
  client.send(Buffer.concat(all));
  await expectCalm(client, 1);
});

test('streams that a client makes us reset count as those that it resets itself', async () => {
  const client = await open();
  const one = block([...request('/x'), ['te', 'gzip']]);
  let last;
  for (let i = 0; last === undefined; i += 50) {
    assert.ok(i < 5_000, 'no end to it');
    for (let j = i; j < i + 50; ++j) client.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * j + 1, one));
    const end = await client.until((each) => each.type === GOAWAY || (each.type === RST_STREAM && each.stream === 2 * (i + 49) + 1));
    if (end.type === GOAWAY) last = end.code;
  }
  assert.equal(last, ENHANCE_YOUR_CALM);
});

test('a PING flood, a SETTINGS flood, empty DATA, windows opened byte by byte', async (t) => {
  const path = lab.path();
  lab.origin.on(path, async (asked) => { await asked.whole(); });
  const floods = {
    PING: (client) => client.send(Buffer.concat(Array(5_000).fill(frame(6, 0, 0, Buffer.alloc(8))))),
    SETTINGS: (client) => client.send(Buffer.concat(Array(5_000).fill(frame(SETTINGS, 0, 0)))),
    'empty DATA': (client) => client.headers(1, request(path, { method: 'POST' })).send(Buffer.concat(Array(5_000).fill(frame(DATA, 0, 1)))),
    'windows opened byte by byte': (client) => client.send(Buffer.concat(Array(5_000).fill(frame(8, 0, 0, uint32(1))))),
  };
  for (const [what, flood] of Object.entries(floods)) {
    await t.test(what, async () => {
      const client = await open();
      flood(client);
      await expectCalm(client);
    });
  }
});

test('a PING flood of a client that reads nothing is bounded too', async () => {
  const client = await open();
  client.socket.pause();
  for (let i = 0; i < 20; ++i) client.send(Buffer.concat(Array(1_000).fill(frame(6, 0, 0, Buffer.alloc(8)))));
  client.socket.resume();
  await expectCalm(client);
});

test('a CONTINUATION flood ends the connection', async () => {
  const client = await open();
  client.headers(1, request('/x'), { endHeaders: false });
  const piece = block([['a', 'x'.repeat(10_000)]]);
  for (let i = 0; i < 100; ++i) client.send(frame(CONTINUATION, 0, 1, piece));
  await expectCalm(client);
});

// One byte that stands for 4 KB: `entry` puts a field line into the table that both ends keep (RFC 7541 section 6.2.1), `name` names the latest of it.
const entry = Buffer.concat([Buffer.from([0x40]), block([['a', 'x'.repeat(4_000)]]).subarray(1)]);
const named = (times) => Buffer.alloc(times, 0x80 + 62);

async function openWithEntry(good) {
  const client = await open();
  client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([block(request(good)), entry])));
  assert.equal(await client.outcome(1), undefined);
  return client;
}

test('a head whose bytes stand for kilobytes each is reset with ENHANCE_YOUR_CALM before its end, and the connection goes on', async () => {
  const good = await stored();
  const client = await openWithEntry(good);
  client.send(frame(HEADERS, END_STREAM, 3, Buffer.concat([block(request(good)), named(10)])));
  for (let i = 0; i < 3; ++i) client.send(frame(CONTINUATION, 0, 3, named(30)));
  assert.equal((await client.until((each) => each.stream === 3)).code, ENHANCE_YOUR_CALM);
  // The table goes on as both ends know it.
  client.send(frame(CONTINUATION, END_HEADERS, 3, named(10)));
  client.send(frame(HEADERS, END_HEADERS | END_STREAM, 5, Buffer.concat([block(request(good)), named(1)])));
  assert.equal(await client.outcome(5), undefined);
  assert.equal(client.frames.filter((each) => each.stream === 3).length, 1);
});

test('the same in trailers: the upload ends, and the connection goes on', async () => {
  const good = await stored();
  const path = lab.path();
  lab.origin.on(path, async (asked, reply) => { if (await asked.whole()) reply.send(200, fresh, 'whole'); });
  const client = await openWithEntry(good);
  client.headers(3, request(path, { method: 'POST' })).data(3, 'some');
  const [asked] = await lab.origin.received(path);
  client.send(frame(HEADERS, END_STREAM, 3, named(50))).send(frame(CONTINUATION, 0, 3, named(50)));
  assert.equal((await client.until((each) => each.stream === 3 && each.type !== WINDOW_UPDATE)).code, ENHANCE_YOUR_CALM);
  assert.equal(await asked.whole(), false);
  client.send(frame(CONTINUATION, END_HEADERS, 3, named(1))).headers(5, request(good), { endStream: true });
  assert.equal(await client.outcome(5), undefined);
});

test('trailers whose stream ends before them are no head that takes too long', async (t) => {
  const own = await ownLab(t, { settings: { 'server.head_timeout': '500ms' } });
  const { opened, open } = gate();
  own.origin.on('/early', (asked, reply) => reply.send(403, { 'Cache-Control': 'no-store' }, 'no'));
  own.origin.on('/slow', async (asked, reply) => { await opened; reply.send(200, { 'Cache-Control': 'no-store' }, 'whole'); });
  const client = await FrameClient.open(own.edge.port);
  client.headers(1, request('/early', { method: 'POST' })).headers(1, [['x-sum', '1']], { endStream: true, endHeaders: false });
  await client.until((each) => each.type === RST_STREAM && each.stream === 1);
  client.send(frame(CONTINUATION, END_HEADERS, 1, block([['x-more', '2']])));
  client.headers(3, request('/slow'), { endStream: true });
  await own.origin.received('/slow');
  // Another's head does take too long, and begins later.
  const late = await FrameClient.open(own.edge.port);
  late.headers(1, request('/late'), { endHeaders: false });
  assert.equal((await late.goaway()).code, ENHANCE_YOUR_CALM);
  open();
  assert.equal(await client.outcome(3), undefined);
  for (const each of [client, late]) each.close();
});

test('many such heads end the connection', async () => {
  const good = await stored();
  const client = await openWithEntry(good);
  const head = Buffer.concat([block(request(good)), named(100)]);
  let last;
  for (let id = 3; last === undefined; id += 100) {
    assert.ok(id < 10_000, 'no end to it');
    for (let i = 0; i < 50; ++i) client.send(frame(HEADERS, END_HEADERS | END_STREAM, id + 2 * i, head));
    const end = await client.until((each) => each.type === GOAWAY || each.stream === id + 98);
    assert.equal(end.code, ENHANCE_YOUR_CALM);
    if (end.type === GOAWAY) last = end;
  }
});

test('an answered request earns its ping: ten thousand of each are no flood', async () => {
  const path = await stored();
  const client = await open();
  const one = block(request(path));
  for (let i = 0; i < 10_000; i += 50) {
    const some = [];
    for (let j = i; j < i + 50; ++j) some.push(frame(6, 0, 0, Buffer.alloc(8)), frame(HEADERS, END_HEADERS | END_STREAM, 2 * j + 1, one));
    client.send(Buffer.concat(some)).windowUpdate(0, 250);
    assert.equal(await client.outcome(2 * (i + 49) + 1), undefined);
  }
  assert.equal(client.frames.some((each) => each.type === GOAWAY), false);
});

for (const where of ['stored', 'on its way from the origin']) test(`a window that stays closed costs the client its stream, and no other (${where})`, async (t) => {
  const own = await ownLab(t, { settings: { 'server.send_timeout': '500ms' } });
  own.origin.on('/large', { fields: fresh, body: Buffer.alloc(1 << 20, 'x') });
  own.origin.on('/small', { fields: fresh, body: '' });
  if (where === 'stored') await own.store('/large', { host: 'edge.test' });
  await own.store('/small', { host: 'edge.test' });
  const client = await open({ settings: [[4, 0]] }, own.edge);  // INITIAL_WINDOW_SIZE 0
  client.headers(1, request('/large'), { endStream: true });
  const reset = await client.until((each) => each.type === RST_STREAM);
  assert.equal(reset.stream, 1);
  assert.equal((await own.edge.metrics()).sum('freshet_http2_streams_stalled_total'), 1);
  client.headers(3, request('/small'), { endStream: true });
  assert.equal(await client.outcome(3), undefined);
});

test('a head that never ends ends the connection after the head timeout', async (t) => {
  const own = await ownLab(t, { settings: { 'server.head_timeout': '300ms' } });
  const client = await open({}, own.edge);
  client.headers(1, request('/x'), { endHeaders: false });
  assert.equal((await client.goaway()).code, ENHANCE_YOUR_CALM);
});

test('an upload that stops is 408 after the body timeout', async (t) => {
  const own = await ownLab(t, { settings: { 'server.body_timeout': '300ms' } });
  own.origin.on('/up', async (asked) => { await asked.whole(); });
  const client = await open({}, own.edge);
  client.headers(1, request('/up', { method: 'POST' })).data(1, 'some');
  assert.equal(await client.outcome(1), undefined);
  await own.edge.accessLine((line) => line.status === 408);
});

test('an upload that stops although its answer has begun costs the client its stream', async (t) => {
  const own = await ownLab(t, { settings: { 'server.body_timeout': '300ms', 'server.send_timeout': '1h' } });
  own.origin.on('/up', async (asked, reply) => {
    await asked.bodyReached(4);
    reply.head(200, { 'Cache-Control': 'no-store', 'Transfer-Encoding': 'chunked' }).chunk('early');
    await asked.whole();
  });
  own.origin.on('/small', { fields: fresh, body: '' });
  const client = await open({}, own.edge);
  client.headers(1, request('/up', { method: 'POST' })).data(1, 'some');
  await client.until((each) => each.type === DATA && each.stream === 1);
  assert.equal(await client.outcome(1), CANCEL);
  assert.equal(await own.origin.requestsFor('/up')[0].whole(), false);
  client.headers(3, request('/small'), { endStream: true });
  assert.equal(await client.outcome(3), undefined);
});

test('more streams than are allowed end the connection or are refused', async (t) => {
  const own = await ownLab(t, { settings: { 'http2.max_streams': '3' } });
  own.origin.on('/hang', () => {});
  const client = await open({}, own.edge);
  for (const stream of [1, 3, 5, 7]) client.headers(stream, request('/hang'), { endStream: true });
  const end = await client.until((each) => each.type === GOAWAY || (each.type === RST_STREAM && each.stream === 7));
  assert.ok(end.type === GOAWAY || end.code === 7);
  await own.edge.metrics();
});

const notHttp2 = {
  'a preface that goes wrong': `${preface.slice(0, 18)}XX\r\n\r\n`,
  'no SETTINGS first': Buffer.concat([Buffer.from(preface), frame(6, 0, 0, Buffer.alloc(8))]),
  'a frame that is too large': Buffer.concat([Buffer.from(preface), frame(SETTINGS, 0, 0), frame(DATA, 0, 1, Buffer.alloc(20_000))]),
  'DATA on stream 0': Buffer.concat([Buffer.from(preface), frame(SETTINGS, 0, 0), frame(DATA, 0, 0, 'x')]),
  'HEADERS on an even stream': Buffer.concat([Buffer.from(preface), frame(SETTINGS, 0, 0), frame(HEADERS, END_HEADERS | END_STREAM, 2, block(request('/x')))]),
  'a field block that does not decode': Buffer.concat([Buffer.from(preface), frame(SETTINGS, 0, 0), frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))]),
  'a window over 2^31 - 1': Buffer.concat([Buffer.from(preface), frame(SETTINGS, 0, 0), frame(8, 0, 0, uint32(0x7fffffff))]),
};

test('what is not HTTP/2 ends the connection with a GOAWAY that says why', async (t) => {
  for (const [what, bytes] of Object.entries(notHttp2)) {
    await t.test(what, async () => {
      const client = await FrameClient.connect(lab.edge.port);
      clients.push(client);
      client.send(bytes);
      const last = await client.goaway();
      assert.ok(last, 'no GOAWAY');
      assert.notEqual(last.code, 0);
    });
  }
});
