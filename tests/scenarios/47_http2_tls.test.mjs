// HTTP/2 over TLS, by ALPN: the same streams on another transport.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Certificates } from '../support/certificates.mjs';
import { H2Client } from '../support/h2_client.mjs';
import { Lab } from '../support/lab.mjs';
import { gate } from '../support/waiting.mjs';

const run = promisify(execFile);
const fresh = { 'Cache-Control': 'max-age=60' };
const noStore = { 'Cache-Control': 'no-store' };
const clients = [];
let made;
let lab;

before(async () => {
  made = new Certificates();
  lab = await newLab();
});
after(async () => {
  for (const client of clients) client.close();
  await lab?.close();
  made?.remove();
});

async function newLab(settings = {}) {
  const { cert, key } = made.issue('a');
  return new Lab({ flags: ['--tls-listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key], settings }).open();
}

async function connect(edge = lab.edge) {
  const client = await H2Client.connect(`https://127.0.0.1:${edge.tlsPort}`, { ca: made.caText });
  clients.push(client);
  return client;
}

function expectWhole(response, status, body) {
  assert.equal(response.status, status);
  assert.ok(response.whole, `broken with ${response.code}`);
  assert.equal(response.text, body);
}

test('a miss, a hit, and the scheme https for the origin and in the key', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => reply.send(200, fresh, request.field('x-forwarded-proto')));
  const client = await connect();
  expectWhole(await client.get(path), 200, 'https');
  const hit = await client.get(path);
  expectWhole(hit, 200, 'https');
  assert.match(hit.fields['cache-status'], /^freshet; hit/);
  const clear = await H2Client.connect(lab.edge.url);
  clients.push(clear);
  expectWhole(await clear.get(path), 200, 'http');
});

test('large responses and uploads, many at once', async () => {
  const down = lab.path('down');
  const up = lab.path('up');
  const body = Buffer.alloc(3 << 20, 'abcdefg');
  lab.origin.on(down, { fields: fresh, body });
  lab.origin.on(up, async (request, reply) => { await request.whole(); reply.send(200, noStore, String(request.body.length)); });
  const client = await connect();
  await client.get(down);
  const streams = Array.from({ length: 6 }, (_, i) => client.get(i % 2 === 0 ? down : up, i % 2 === 0 ? {} : { method: 'POST', body }));
  (await Promise.all(streams)).forEach((response, i) => expectWhole(response, 200, i % 2 === 0 ? body.toString() : String(body.length)));
});

test('drain: a request in progress is answered', async (t) => {
  const own = await newLab();
  t.after(() => own.close());
  const { opened, open } = gate();
  own.origin.on('/slow', async (_, reply) => { await opened; reply.send(200, noStore, 'whole'); });
  const client = await connect(own.edge);
  const waits = client.request('/slow');
  await own.origin.received('/slow');
  const stopped = own.edge.stop();
  await client.goaway(({ last }) => last === 1);
  open();
  expectWhole(await waits.response(), 200, 'whole');
  await client.ended();
  await stopped;
});

test('http2.enabled = false: h2 is not offered', async (t) => {
  const own = await newLab({ 'http2.enabled': 'false' });
  t.after(() => own.close());
  own.origin.on('/x', { fields: fresh, body: 'hello' });
  const { stdout } = await run('curl', ['-sS', '--noproxy', '*', '--cacert', made.ca, '--http2', '-w', ' %{http_version}', `https://127.0.0.1:${own.edge.tlsPort}/x`]);
  assert.equal(stdout, 'hello 1.1');
});

test('nghttp and h2load over TLS', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: fresh, body: 'hello' });
  const nghttp = await run('nghttp', ['-v', '--no-dep', `https://127.0.0.1:${lab.edge.tlsPort}${path}`]);
  assert.match(nghttp.stdout, /:status: 200[^]*cache-status: freshet; /);
  const { stdout } = await run('h2load', ['-n', '2000', '-c', '4', '-m', '32', `https://127.0.0.1:${lab.edge.tlsPort}${path}`]);
  assert.match(stdout, /2000 succeeded, 0 failed, 0 errored/);
});
