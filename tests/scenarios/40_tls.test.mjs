// TLS towards clients: the same answers as in clear, with the scheme https.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Certificates } from '../support/certificates.mjs';
import { expectWhole } from '../support/expect.mjs';
import { Lab } from '../support/lab.mjs';
import { RawClient, fetchRaw, requestBytes } from '../support/raw_client.mjs';
import { connectTls } from '../support/tls_client.mjs';
import { gate } from '../support/waiting.mjs';

const run = promisify(execFile);
const fresh = { 'Cache-Control': 'max-age=60', ETag: '"v1"' };
let made;
let lab;
before(async () => {
  made = new Certificates();
  const { cert, key } = made.issue('a');
  lab = await new Lab({ flags: ['--tls-listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key] }).open();
});
after(async () => {
  await lab?.close();
  made?.remove();
});

const connect = (options = {}) => connectTls(lab.edge.tlsPort, { ca: made.caText, ...options });
async function get(target, options = {}) {
  const client = await connect(options.tls);
  try {
    return await client.request(target, options).response();
  } finally {
    client.close();
  }
}
const curl = (target, ...args) => run('curl', ['-sS', '--noproxy', '*', '--cacert', made.ca, ...args, `https://127.0.0.1:${lab.edge.tlsPort}${target}`]);

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  test(`${version}: a miss, a hit and a 304`, async () => {
    const target = lab.path();
    lab.origin.on(target, { fields: fresh, body: 'hello' });
    const client = await connect({ minVersion: version, maxVersion: version });
    assert.equal(client.socket.getProtocol(), version);
    expectWhole(await client.request(target).response(), 200, 'hello');
    const hit = await client.request(target).response();
    expectWhole(hit, 200, 'hello');
    assert.match(hit.field('cache-status'), /^freshet; hit/);
    expectWhole(await client.request(target, { fields: { 'If-None-Match': '"v1"' } }).response(), 304, '');
    assert.equal(lab.origin.requestsFor(target).length, 1);
    client.close();
  });
}

test('versions below 1.2 are refused', async () => {
  await assert.rejects(curl('/', '--tlsv1.0', '--tls-max', '1.1', '--ciphers', 'DEFAULT@SECLEVEL=0'), (error) => error.code === 35);
});

test('the scheme is https: a key of its own, and the origin is told', async () => {
  const target = lab.path();
  lab.origin.on(target, (request, reply) => reply.send(200, fresh, request.field('x-forwarded-proto')));
  expectWhole(await get(target, { host: 'a.test' }), 200, 'https');
  expectWhole(await lab.get(target, { host: 'a.test' }), 200, 'http');
  const [first] = lab.origin.requestsFor(target);
  assert.match(first.field('forwarded'), /proto=https/);
  // In absolute form the scheme has to be the connection's.
  expectWhole(await get('https://a.test' + target, { host: 'a.test' }), 200, 'https');
  assert.equal((await get('http://a.test' + target, { host: 'a.test' })).status, 421);
  assert.equal((await lab.get('https://a.test' + target, { host: 'a.test' })).status, 421);
  // Its default port is no part of the key.
  expectWhole(await get(target, { host: 'a.test:443' }), 200, 'https');
  assert.equal(lab.origin.requestsFor(target).length, 2);
});

test('pipelined requests are answered in order', async () => {
  const targets = Array.from({ length: 50 }, () => lab.path());
  for (const target of targets) lab.origin.on(target, { fields: fresh, body: target });
  for (let round = 0; round < 2; ++round) {
    const client = await connect();
    client.send(Buffer.concat(targets.map((target) => requestBytes(target, { host: 'a.test' }))));
    for (const target of targets) expectWhole(await client.response('GET'), 200, target);
    client.close();
  }
});

test('a request that comes byte by byte, each in a record of its own', async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'hello' });
  const client = await connect();
  await client.sendBytewise(requestBytes(target, { host: 'a.test' }));
  expectWhole(await client.response('GET'), 200, 'hello');
  client.close();
});

test('large bodies arrive byte for byte: down from the origin and the store, and up', async () => {
  const target = lab.path();
  const bytes = crypto.randomBytes(9 * 1024 * 1024 + 4321);
  lab.origin.on(target, { fields: fresh, body: bytes });
  for (let i = 0; i < 2; ++i) expectWhole(await get(target), 200, bytes);
  const chunked = lab.path();
  lab.origin.on(chunked, async (_, reply) => {
    reply.head(200, { ...fresh, 'Transfer-Encoding': 'chunked' });
    for (let at = 0; at < bytes.length; at += 100_000) reply.chunk(bytes.subarray(at, at + 100_000));
    reply.lastChunk();
  });
  for (let i = 0; i < 2; ++i) expectWhole(await get(chunked), 200, bytes);
  const up = lab.path();
  lab.origin.on(up, async (request, reply) => {
    await request.whole();
    reply.send(200, {}, crypto.createHash('sha256').update(request.body).digest('hex'));
  });
  expectWhole(await get(up, { method: 'POST', body: bytes }), 200, crypto.createHash('sha256').update(bytes).digest('hex'));
});

test('a client that reads slowly gets all of a large body, and others are served meanwhile', async () => {
  const target = lab.path();
  const bytes = crypto.randomBytes(8 * 1024 * 1024);
  lab.origin.on(target, { fields: fresh, body: bytes });
  await get(target);
  const slow = await connect();
  const head = await slow.request(target).responseHead();
  slow.pause();
  for (let i = 0; i < 20; ++i) assert.equal((await get(target, { fields: { Range: 'bytes=0-9' } })).status, 206);
  slow.resume();
  expectWhole(await slow.finishBody(head), 200, bytes);
  slow.close();
});

test('Connection: close ends with close_notify, which openssl s_client insists on', async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'hello' });
  const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${lab.edge.tlsPort}`, '-CAfile', made.ca, '-quiet', '-no_ign_eof']);
  child.stdin.write(requestBytes(target, { host: 'a.test', fields: { Connection: 'close' } }));
  let out = '';
  let errors = '';
  child.stdout.on('data', (text) => { out += text; });
  child.stderr.on('data', (text) => { errors += text; });
  const status = await new Promise((resolve) => { child.once('close', resolve); });
  assert.match(out, /hello$/);
  assert.equal(status, 0, errors);
  assert.doesNotMatch(errors, /unexpected eof/);
});

test('an upload that breaks off without close_notify is aborted, and nothing is answered', async () => {
  const target = lab.path();
  let seen;
  const arrived = new Promise((resolve) => { seen = resolve; });
  lab.origin.on(target, async (request, reply) => {
    seen(request);
    if (await request.whole()) reply.send(200, {}, 'all of it');
  });
  const client = await connect();
  client.send(requestBytes(target, { method: 'POST', host: 'a.test', fields: { 'Content-Length': '1000' } }) + 'part');
  const request = await arrived;
  client.socket._handle.close();  // under TLS: no close_notify
  assert.equal(await request.whole(), false);
  client.close();
});

test('a client that says close_notify after its request still gets the answer', async () => {
  const target = lab.path();
  const { opened, open } = gate();
  let seen;
  const arrived = new Promise((resolve) => { seen = resolve; });
  lab.origin.on(target, async (_, reply) => {
    seen();
    await opened;
    reply.send(200, fresh, 'late');
  });
  const client = await connect();
  client.request(target).end();
  await arrived;
  open();
  expectWhole(await client.response(), 200, 'late');
  client.close();
});

test('plain HTTP on the port of TLS is told so', async () => {
  // One line a second is logged of handshakes that fail, and another test's may be this second's.
  const line = lab.edge.logLine(/TLS handshake with 127\.0\.0\.1 failed: http request/).then(() => true);
  for (let logged = false; !logged;) {
    const response = await fetchRaw(lab.edge.tlsPort, '/');
    expectWhole(response, 400, 'This port speaks HTTPS, and the request was in HTTP');
    logged = await Promise.race([line, new Promise((resolve) => setTimeout(resolve, 200, false))]);
  }
});

test('noise, silence and probes on the port harm nobody', async () => {
  const before = (await lab.edge.metrics()).sum('freshet_tls_failed_total');
  const noise = await RawClient.connect(lab.edge.tlsPort);
  noise.send(crypto.randomBytes(3000));
  await noise.closed();
  noise.close();
  const probe = await RawClient.connect(lab.edge.tlsPort);
  probe.close();
  const half = await RawClient.connect(lab.edge.tlsPort);
  half.send(Buffer.from([22, 3, 1, 2, 0, 1]));
  half.close();
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'hello' });
  expectWhole(await get(target), 200, 'hello');
  await lab.edge.metricsWhen((m) => m.sum('freshet_tls_failed_total') === before + 2 && m.sum('freshet_tls_handshakes_open') === 0);
});

test('ALPN: h2 comes before http/1.1, without it HTTP/1.1 is spoken, and a client with none of ours is refused', async () => {
  for (const [offered, chosen] of [[['http/1.1', 'h2'], 'h2'], [['http/1.1'], 'http/1.1']]) {
    const client = await connect({ ALPNProtocols: offered });
    assert.equal(client.socket.alpnProtocol, chosen);
    client.close();
  }
  const none = await connect();
  assert.equal(none.socket.alpnProtocol, false);
  none.close();
  await assert.rejects(connect({ ALPNProtocols: ['acme/1'] }), /no application protocol/);
});

test('curl: one connection, several requests', async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'hello' });
  const url = `https://127.0.0.1:${lab.edge.tlsPort}${target}`;
  for (const [flag, version] of [['--http1.1', '1.1'], ['--http2', '2']]) {
    const { stdout } = await curl(target, flag, '-w', ' %{num_connects} %{http_version}\n', url);
    assert.equal(stdout, `hello 1 ${version}\nhello 0 ${version}\n`);
  }
});

test('a handshake that makes no progress is ended within server.head_timeout', async (t) => {
  const { cert, key } = made.issue('slow');
  const other = new Lab({ settings: { 'server.head_timeout': '300ms', 'tls.listen': '127.0.0.1:0', 'tls.cert': cert, 'tls.key': key } });
  t.after(() => other.close());
  await other.open();
  const client = await RawClient.connect(other.edge.tlsPort);
  client.send(Buffer.from([22, 3, 1]));
  await client.closed();
  client.close();
  await other.edge.logLine(/TLS handshake with 127\.0\.0\.1 failed: it took too long/);
});

test('SIGTERM: an answer in progress is finished, an idle connection is closed with close_notify', async (t) => {
  const { cert, key } = made.issue('drain');
  const other = new Lab({ settings: { 'tls.listen': '127.0.0.1:0', 'tls.cert': cert, 'tls.key': key } });
  t.after(() => other.close());
  await other.open();
  const { opened, open } = gate();
  let seen;
  const arrived = new Promise((resolve) => { seen = resolve; });
  other.origin.on('/x', async (_, reply) => {
    seen();
    await opened;
    reply.send(200, fresh, 'late');
  });
  const idle = await connectTls(other.edge.tlsPort);
  const silent = await RawClient.connect(other.edge.tlsPort);  // no handshake yet
  const busy = await connectTls(other.edge.tlsPort);
  busy.request('/x');
  await arrived;
  other.edge.child.kill('SIGTERM');
  await idle.closed();
  await silent.closed();
  open();
  const response = await busy.response();
  expectWhole(response, 200, 'late');
  assert.equal(response.field('connection'), 'close');
  for (const client of [idle, silent, busy]) client.close();
});
