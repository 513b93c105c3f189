// HTTP/2 in clear by prior knowledge (RFC 9113): what HTTP/1 does, on streams.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, test } from 'node:test';
import { promisify } from 'node:util';

import { H2Client } from '../support/h2_client.mjs';
import { expectHit } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { gate } from '../support/waiting.mjs';

const run = promisify(execFile);
const lab = sharedLab({ settings: { 'cache.early_hints': 'true' } });
const fresh = { 'Cache-Control': 'max-age=60' };
const noStore = { 'Cache-Control': 'no-store' };
const clients = [];
after(() => { for (const client of clients) client.close(); });

async function connect(edge = lab.edge, options = undefined) {
  const client = await H2Client.connect(edge.url, options);
  clients.push(client);
  return client;
}

function expectWhole(response, status, body) {
  assert.equal(response.status, status);
  assert.ok(response.whole, `broken with ${response.code}`);
  if (body !== undefined) assert.equal(response.text, body);
}

test('a miss, then a hit that HTTP/1 shares, and what the log and the origin hear of the protocol', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { ...fresh, 'X-Mixed-Case': 'Kept', 'Keep-Alive': 'timeout=5', Connection: 'keep-alive' }, body: 'hello' });
  const client = await connect();
  const miss = await client.get(path);
  expectWhole(miss, 200, 'hello');
  assert.match(miss.fields['cache-status'], /fwd=uri-miss/);
  assert.equal(miss.fields['x-mixed-case'], 'Kept');
  assert.equal(miss.fields['keep-alive'], undefined);
  assert.match(lab.origin.requestsFor(path)[0].field('via'), /^2\.0 freshet$/);
  assert.equal(lab.origin.requestsFor(path)[0].field('host'), lab.edge.authority);
  const hit = await client.get(path);
  expectWhole(hit, 200, 'hello');
  assert.match(hit.fields['cache-status'], /^freshet; hit/);
  assert.equal(hit.fields.via, '1.1 freshet');
  assert.ok(hit.fields.age !== undefined && hit.fields.date !== undefined);
  expectHit(await lab.get(path));
  await lab.edge.accessLine((line) => line.target.endsWith(path) && line.protocol === 'HTTP/2.0' && line.cache === 'hit');
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('HEAD, 304, 206, 416 and 204 end with their heads (G1) and the connection goes on', async () => {
  const path = lab.path();
  const empty = lab.path('empty');
  lab.origin.on(path, { fields: { ...fresh, ETag: '"v1"' }, body: '0123456789' });
  lab.origin.on(empty, { status: 204, fields: noStore });
  const client = await connect();
  expectWhole(await client.get(path), 200, '0123456789');
  const head = await client.get(path, { method: 'HEAD' });
  expectWhole(head, 200, '');
  assert.equal(head.fields['content-length'], '10');
  const unchanged = await client.get(path, { fields: { 'if-none-match': '"v1"' } });
  expectWhole(unchanged, 304, '');
  assert.equal(unchanged.fields['content-length'], undefined);
  const part = await client.get(path, { fields: { range: 'bytes=2-4' } });
  expectWhole(part, 206, '234');
  expectWhole(await client.get(path, { fields: { range: 'bytes=20-' } }), 416, '');
  expectWhole(await client.get(empty), 204, '');
  expectWhole(await client.get(path), 200, '0123456789');
});

test('a response head of nearly 64 KiB, which is all that is taken of an origin, arrives whole', async () => {
  const path = lab.path('large-head');
  const large = Object.fromEntries(Array.from({ length: 800 }, (_, i) => [`x-${String(i).padStart(3, '0')}`, String(i).padEnd(69, 'abc')]));
  lab.origin.on(path, { fields: { ...fresh, ...large }, body: 'hello' });
  const client = await connect(lab.edge, { settings: { maxHeaderListSize: 1 << 20 }, maxHeaderListPairs: 2000 });
  for (const [method, body] of [['GET', 'hello'], ['GET', 'hello'], ['HEAD', '']]) {
    const response = await client.get(path, { method });
    expectWhole(response, 200, body);
    for (const [name, value] of Object.entries(large)) assert.equal(response.fields[name], value);
  }
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('a hundred requests at once, each with its own answer', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => reply.send(200, noStore, request.target.repeat(1000)));
  const client = await connect();
  const all = await Promise.all(Array.from({ length: 100 }, (_, i) => client.get(`${path}?${i}`)));
  all.forEach((response, i) => expectWhole(response, 200, `${path}?${i}`.repeat(1000)));
});

test('an answer that is slow holds up no other on the connection', async () => {
  const slow = lab.path('slow');
  const fast = lab.path('fast');
  const { opened, open } = gate();
  lab.origin.on(slow, async (_, reply) => { await opened; reply.send(200, noStore, 'slow'); });
  lab.origin.on(fast, { fields: noStore, body: 'fast' });
  const client = await connect();
  const waits = client.request(slow);
  await lab.origin.received(slow);
  expectWhole(await client.get(fast), 200, 'fast');
  open();
  expectWhole(await waits.response(), 200, 'slow');
});

test('a large response to a client that reads nothing holds up no other, and is whole in the end', async () => {
  const large = lab.path('large');
  const small = lab.path('small');
  const body = Buffer.alloc(4 << 20, 'abcdefgh');
  lab.origin.on(large, { fields: fresh, body });
  lab.origin.on(small, { fields: fresh, body: 'small' });
  await lab.store(large);
  const client = await connect();
  client.session.setLocalWindowSize(1 << 20);
  const stalled = client.request(large, { read: false });
  await stalled.head();
  for (let i = 0; i < 5; ++i) expectWhole(await client.get(small), 200, 'small');
  stalled.read();
  await stalled.response();
  assert.ok(stalled.whole && stalled.body.equals(body));
});

test('an upload reaches the origin whole, larger than every window', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => { await request.whole(); reply.send(200, noStore, String(request.body.length)); });
  const client = await connect();
  const body = Buffer.alloc(5 << 20, 'x');
  expectWhole(await client.get(path, { method: 'POST', body }), 200, String(body.length));
  expectWhole(await client.get(path, { method: 'POST', body: 'abc', fields: { 'content-length': '3' } }), 200, '3');
  assert.equal(lab.origin.requestsFor(path)[1].field('content-length'), '3');
  expectWhole(await client.get(path, { method: 'POST', body: '' }), 200, '0');
});

test('an origin that does not read keeps the client from sending (flow control end to end)', async (t) => {
  const own = await ownLab(t, { settings: { 'http2.stream_window': '64KiB' } });
  own.origin.on('/up', (request) => { request.pauseReading(); });
  const client = await connect(own.edge);
  const upload = client.request('/up', { method: 'POST', end: false });
  const handedOver = await new Promise((resolve) => {
    let bytes = 0;
    const more = () => {
      while (upload.stream.write(Buffer.alloc(256 << 10))) bytes += 256 << 10;
      bytes += 256 << 10;
      if (bytes >= 64 << 20) resolve(bytes);
    };
    upload.stream.on('drain', more);
    more();
    // Node takes no more from us when its own buffers are full: by then another stream has had many turns.
    (async () => {
      for (let i = 0; i < 50; ++i) await client.get('/none');
      resolve(bytes);
    })();
  });
  assert.ok(handedOver < 64 << 20, `${handedOver} bytes were taken`);
  client.close();
});

test('an early answer to an upload: the answer whole, then the stream ends with NO_ERROR', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => reply.send(403, noStore, 'no'));
  const client = await connect();
  const upload = client.request(path, { method: 'POST', end: false, body: 'some' });
  await upload.response();
  expectWhole(upload, 403, 'no');
  const next = lab.path();
  lab.origin.on(next, { fields: noStore, body: 'next' });
  expectWhole(await client.get(next), 200, 'next');
});

test('Expect: 100-continue is answered when the content is wanted', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => { await request.whole(); reply.send(200, noStore, request.body); });
  const client = await connect();
  const upload = client.request(path, { method: 'POST', end: false, fields: { expect: '100-continue', 'content-length': '5' } });
  await new Promise((resolve) => { upload.stream.once('continue', resolve); });
  upload.stream.end('hello');
  expectWhole(await upload.response(), 200, 'hello');
});

test('103 comes ahead of the answer, trailers behind it', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n'
      + 'HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n');
  });
  const client = await connect();
  const response = await client.get(path, { fields: { te: 'trailers' } });
  expectWhole(response, 200, 'hello');
  assert.equal(response.interim[0]?.link, '</a.css>; rel=preload');
  assert.equal(response.trailers?.['x-sum'], '7');
  const without = await client.get(path);
  expectWhole(without, 200, 'hello');
  assert.equal(without.trailers, undefined);
});

test('a broken origin body ends its stream with INTERNAL_ERROR (G2), and no other', async () => {
  const path = lab.path();
  const good = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    const begun = reply.head(200, { ...noStore, 'Content-Length': '100' }).write('half');
    await opened;
    begun.reset();
  });
  lab.origin.on(good, { fields: noStore, body: 'good' });
  const client = await connect();
  const stream = client.request(path);
  await stream.bodyReached(4);
  open();
  const broken = await stream.response();
  assert.equal(broken.status, 200);
  assert.equal(broken.code, 2);
  expectWhole(await client.get(good), 200, 'good');
});

test('a client that resets a stream in mid-body leaves; the connection goes on, and nothing is held', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { ...noStore, 'Content-Length': '8' }).write('half');
    await opened;
  });
  const client = await connect();
  const stream = client.request(path);
  await stream.bodyReached(4);
  const [asked] = lab.origin.requestsFor(path);
  stream.stream.close(8);
  await asked.gone();
  open();
  assert.equal((await lab.edge.accessLine((line) => line.target.endsWith(path))).broken, true);
  const next = lab.path();
  lab.origin.on(next, { fields: noStore, body: 'next' });
  expectWhole(await client.get(next), 200, 'next');
});

test('requests for one key on one connection become one origin request', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => { await opened; reply.send(200, fresh, 'one'); });
  const client = await connect();
  const all = Array.from({ length: 20 }, () => client.request(path));
  await lab.origin.received(path);
  open();
  for (const each of all) expectWhole(await each.response(), 200, 'one');
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('a trusted proxy says its client\'s scheme by :scheme, as by X-Forwarded-Proto; another client\'s is 421', async (t) => {
  const own = await ownLab(t, { settings: { 'server.trusted_proxies': '127.0.0.1' } });
  for (const edge of [own, lab]) edge.origin.on('/s', (request, reply) => reply.send(200, fresh, request.field('x-forwarded-proto')));
  const https = { ':scheme': 'https', ':authority': 'a.test' };
  expectWhole(await (await connect()).get('/s', { fields: https }), 421);
  const client = await connect(own.edge);
  expectWhole(await client.get('/s', { fields: https }), 200, 'https');
  expectWhole(await client.get('/s', { fields: { ':authority': 'a.test' } }), 200, 'http');
  const same = await client.get('/s', { fields: { ':authority': 'a.test', 'x-forwarded-proto': 'https' } });
  expectWhole(same, 200, 'https');
  assert.match(same.fields['cache-status'], /^freshet; hit/);
  assert.equal(own.origin.requestsFor('/s').length, 2);
});

test('CONNECT is 501, as over HTTP/1', async () => {
  const client = await connect();
  const stream = client.session.request({ ':method': 'CONNECT', ':authority': 'example.test:443' });
  const fields = await new Promise((resolve, reject) => { stream.once('response', resolve).once('error', reject); });
  assert.equal(fields[':status'], 501);
  stream.close();
});

test('an urgent response is served before one that is not (RFC 9218)', async () => {
  const big = lab.path('big');
  const urgent = lab.path('urgent');
  lab.origin.on(big, { fields: fresh, body: Buffer.alloc(8 << 20, 'b') });
  lab.origin.on(urgent, { fields: fresh, body: Buffer.alloc(1 << 20, 'u') });
  await lab.store(big);
  await lab.store(urgent);
  const client = await connect(lab.edge, { settings: { initialWindowSize: 16 << 20 } });
  client.session.setLocalWindowSize(32 << 20);
  const order = [];
  const late = client.request(big, { fields: { priority: 'u=7' } });
  const soon = client.request(urgent, { fields: { priority: 'u=0' } });
  late.stream.once('end', () => order.push('big'));
  soon.stream.once('end', () => order.push('urgent'));
  await Promise.all([late.response(), soon.response()]);
  assert.deepEqual(order, ['urgent', 'big']);
});

test('http2.enabled = false: the preface is a request of a version that is not spoken', async (t) => {
  const own = await ownLab(t, { settings: { 'http2.enabled': 'false' } });
  const client = await own.connect();
  client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  assert.equal((await client.response('GET')).status, 505);
});

test('a request that only begins like the preface is HTTP/1', async () => {
  const client = await lab.connect();
  client.send('PRI');
  client.send('MARY / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.response('GET')).status, 404);
});

test('drain: requests in progress are answered, then the connection ends, by two GOAWAYs', async (t) => {
  const own = await ownLab(t);
  const { opened, open } = gate();
  own.origin.on('/slow', async (_, reply) => { await opened; reply.send(200, noStore, 'whole'); });
  const idle = await connect(own.edge);
  const busy = await connect(own.edge);
  const waits = busy.request('/slow');
  await own.origin.received('/slow');
  const stopped = own.edge.stop();
  await busy.goaway(({ last }) => last === 2 ** 31 - 1);
  await busy.goaway(({ last }) => last === 1);
  await idle.ended();
  open();
  expectWhole(await waits.response(), 200, 'whole');
  await busy.ended();
  await stopped;
});

test('idle connections end with GOAWAY after the idle timeout', async (t) => {
  const own = await ownLab(t, { settings: { 'server.idle_timeout': '300ms' } });
  const client = await connect(own.edge);
  assert.equal((await client.goaway()).code, 0);
  await client.ended();
});

test('curl, nghttp and h2load as clients', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: fresh, body: 'hello' });
  const { stdout } = await run('curl', ['-sS', '--noproxy', '*', '--http2-prior-knowledge', '-w', ' %{http_version} %{http_code}', `${lab.edge.url}${path}`]);
  assert.equal(stdout, 'hello 2 200');
  const nghttp = await run('nghttp', ['-v', '--no-dep', `${lab.edge.url}${path}`, `${lab.edge.url}${path}?2`]);
  assert.equal(nghttp.stdout.match(/:status: 200/g)?.length, 2);
  assert.match(nghttp.stdout, /^cache-status: freshet; hit|cache-status: freshet; hit/m);
  const load = await run('h2load', ['-n', '2000', '-c', '4', '-m', '32', `${lab.edge.url}${path}`]);
  assert.match(load.stdout, /2000 succeeded, 0 failed, 0 errored/);
});
