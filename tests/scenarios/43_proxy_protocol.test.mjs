// The PROXY protocol on listeners that are set so: who the client is, and what is refused.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Certificates } from '../support/certificates.mjs';
import { temporaryDirectory } from '../support/edge.mjs';
import { expectWhole } from '../support/expect.mjs';
import { Lab } from '../support/lab.mjs';
import { accepting, freePort } from '../support/ports.mjs';
import { binary, line, value } from '../support/proxy_header.mjs';
import { RawClient, requestBytes } from '../support/raw_client.mjs';

const run = promisify(execFile);
const fresh = { 'Cache-Control': 'max-age=60' };
const listen = '127.0.0.1:0 proxy_protocol';
let made;
let lab;
before(async () => {
  made = new Certificates();
  const { cert, key } = made.issue('a');
  lab = await new Lab({ listen, settings: { 'tls.listen': listen, 'tls.cert': cert, 'tls.key': key, 'server.trusted_proxies': '203.0.113.9' } }).open();
});
after(async () => {
  await lab?.close();
  made?.remove();
});

const refusals = async (edge = lab.edge) => (await edge.metrics()).sum('freshet_proxy_protocol_refused_total');

// One request behind `header`: what the origin was told of the client, and the access log's client.
async function told(header, { edge = lab.edge, origin = lab.origin, fields = {} } = {}) {
  const target = lab.path();
  origin.on(target, (request, reply) => reply.send(200, {}, JSON.stringify({ chain: request.field('x-forwarded-for'), node: request.field('forwarded') })));
  const client = await RawClient.connect(edge.port);
  client.send(Buffer.concat([Buffer.from(header), Buffer.from(requestBytes(target, { host: 'a.test', fields }))]));
  const response = await client.response('GET');
  client.close();
  assert.equal(response.status, 200);
  return { ...JSON.parse(response.text), logged: (await edge.accessLine((record) => record.target === `a.test${target}`)).client };
}

test('version 1: the client is the one that is told, to the origin and in the access log', async () => {
  for (const address of ['203.0.113.5', '2001:db8::5']) {
    const { chain, node, logged } = await told(line(address));
    assert.equal(chain, address);
    assert.ok(node.startsWith(address.includes(':') ? `for="[${address}]"` : `for=${address}`), node);
    assert.equal(logged, address);
  }
});

test('version 2: likewise, and values behind the addresses are skipped', async () => {
  for (const source of ['203.0.113.5', '2001:db8::5']) {
    const values = [value(2, 'a.test'), value(4, 'x'.repeat(500))];
    assert.equal((await told(binary({ source, values }))).chain, source);
  }
});

test("where no address is told it is the connection's own; a unix socket at the proxy is nobody's", async () => {
  for (const header of ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN of old\r\n', binary({ command: 0 }), binary({ source: '203.0.113.5', command: 0 }), binary()]) {
    assert.equal((await told(header)).chain, '127.0.0.1');
  }
  assert.equal((await told(binary({ family: 0x31, addresses: Buffer.alloc(216) }))).chain, 'unknown');
});

test('byte by byte, with requests in the same segment as its end', async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'x' });
  await told(line('203.0.113.5'));
  for (const header of [Buffer.from(line('203.0.113.5')), binary({ source: '203.0.113.5' })]) {
    const client = await RawClient.connect(lab.edge.port);
    await client.sendBytewise(header.subarray(0, -1));
    client.send(Buffer.concat([header.subarray(-1), Buffer.from(requestBytes(target, { host: 'a.test' }).toString().repeat(3))]));
    for (let i = 0; i < 3; ++i) expectWhole(await client.response('GET'), 200, 'x');
    client.close();
  }
});

test('server.trusted_proxies is about the client that is told', async () => {
  const fields = { 'X-Forwarded-For': '198.51.100.1' };
  assert.equal((await told(line('203.0.113.9'), { fields })).chain, '198.51.100.1, 203.0.113.9');
  assert.equal((await told(line('203.0.113.5'), { fields })).chain, '203.0.113.5');
});

test('purge.allow is about the client that is told', async () => {
  const purge = async (header) => {
    const client = await RawClient.connect(lab.edge.port);
    client.send(header);
    const { status } = await client.request('/purged', { method: 'PURGE', host: 'a.test' }).response();
    client.close();
    return status;
  };
  assert.equal(await purge(line('203.0.113.5')), 403);
  assert.equal(await purge(binary({ family: 0x31, addresses: Buffer.alloc(216) })), 403);
  assert.equal(await purge(line('127.0.0.1')), 200);
  assert.equal(await purge(binary({ command: 0 })), 200);
});

test('a connection without a header, or with a bad one, is closed without an answer and counted', async () => {
  const good = binary({ source: '203.0.113.5' });
  const wrongVersion = Buffer.from(good);
  wrongVersion[12] = 0x31;
  const noSuchSum = binary({ source: '203.0.113.5', values: [value(3, 'sum?')] });
  for (const bytes of [requestBytes('/', { host: 'a.test' }), 'PROXY TCP4 203.0.113.5 192.0.2.1 04711 80\r\n', 'PROXY TCP4 203.0.113.5 192.0.2.1 4711 80\n',
    `PROXY UNKNOWN ${'x'.repeat(200)}`, wrongVersion, noSuchSum, binary({ source: '203.0.113.5', family: 0x21 })]) {
    const before = await refusals();
    const client = await RawClient.connect(lab.edge.port);
    client.send(bytes);
    await client.closed();
    client.close();
    assert.equal(await refusals(), before + 1, String(bytes));
  }
  // One line a second is logged of them.
  await lab.edge.logLine(/PROXY header from 127\.0\.0\.1 refused: \w/);
});

test('over TLS it comes before the handshake; HTTP/2 by ALPN and by prior knowledge', async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'hello' });
  const curl = (...args) => run('curl', ['-sS', '--noproxy', '*', '--cacert', made.ca, '--haproxy-protocol', '-w', '|%{http_version}', ...args]);
  const secure = `https://127.0.0.1:${lab.edge.tlsPort}${target}`;
  assert.equal((await curl('--http1.1', secure)).stdout, 'hello|1.1');
  assert.equal((await curl('--http2', secure)).stdout, 'hello|2');
  assert.equal((await curl('--http2-prior-knowledge', `http://127.0.0.1:${lab.edge.port}${target}`)).stdout, 'hello|2');
  const before = await refusals();
  await assert.rejects(run('curl', ['-sS', '--noproxy', '*', '-k', secure]));
  assert.equal(await refusals(), before + 1);
});

test('the header has server.head_timeout, and only believed peers may speak', async () => {
  const other = await new Lab({ listen, settings: { 'server.head_timeout': '200ms', 'server.proxy_protocol_from': '127.0.0.1' } }).open();
  const strict = await new Lab({ listen, settings: { 'server.proxy_protocol_from': '10.0.0.0/8,unix' } }).open();
  try {
    const silent = await RawClient.connect(other.edge.port);
    const half = await RawClient.connect(other.edge.port);
    half.send('PROXY TCP4');
    for (const client of [silent, half]) {
      await client.closed();
      client.close();
    }
    assert.equal(await refusals(other.edge), 2);
    const client = await RawClient.connect(strict.edge.port);
    client.send(line('203.0.113.5'));
    await client.closed();
    client.close();
    await strict.edge.logLine(/PROXY header from 127\.0\.0\.1 refused: server\.proxy_protocol_from does not name it/);
    assert.equal(await refusals(strict.edge), 1);
    await strict.edge.metricsWhen((m) => m.sum('freshet_worker_connections_most') === 0, 'no connection left');
  } finally {
    await other.close();
    await strict.close();
  }
});

test('G10: a drain answers what comes behind a header that has begun', async () => {
  const other = await new Lab({ listen }).open();
  other.origin.on('/', { body: 'x' });
  const begun = await RawClient.connect(other.edge.port);
  await begun.sent('PROXY UNKN');
  const silent = await RawClient.connect(other.edge.port);
  await other.edge.metricsWhen((m) => m.sum('freshet_connections_accepted_total') === 2, 'two connections');
  const stopped = other.close();
  await silent.closed();
  begun.send('OWN\r\n').request('/', { host: 'a.test' });
  expectWhole(await begun.response(), 200, 'x');
  begun.close();
  silent.close();
  await stopped;
});

test('a header that has begun does not outlast the drain timeout', async () => {
  const other = await new Lab({ listen: `${listen},127.0.0.1:0`, settings: { 'server.drain_timeout': '100ms' } }).open();
  const begun = await RawClient.connect(other.edge.port);
  await begun.sent('PROXY UNKN');
  await other.edge.metricsWhen((m) => m.sum('freshet_connections_accepted_total') === 1, 'the connection');
  await other.close();
  begun.close();
});

const haproxy = '/usr/sbin/haproxy';
for (const send of ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c,unique-id']) {
  test(`haproxy with ${send}: plain and TLS passed through`, { skip: !fs.existsSync(haproxy) && 'haproxy is not installed' }, async () => {
    const folder = temporaryDirectory('freshet-haproxy-');
    const [plain, secure] = [await freePort(), await freePort()];
    fs.writeFileSync(path.join(folder, 'haproxy.cfg'), `
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen plain
  bind 127.0.0.1:${plain}
  server edge 127.0.0.1:${lab.edge.port} ${send}
listen secure
  bind 127.0.0.1:${secure}
  server edge 127.0.0.1:${lab.edge.tlsPort} ${send}
`);
    const child = spawn(haproxy, ['-f', path.join(folder, 'haproxy.cfg'), '-db'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => { child.once('close', resolve); });
    try {
      await accepting(plain, ended);
      await accepting(secure, ended);
      for (const [scheme, port] of [['http', plain], ['https', secure]]) {
        const target = lab.path();
        lab.origin.on(target, (request, reply) => reply.send(200, {}, request.field('x-forwarded-for')));
        const { stdout } = await run('curl', ['-sS', '--noproxy', '*', '--cacert', made.ca, '--interface', '127.0.0.77', `${scheme}://127.0.0.1:${port}${target}`]);
        assert.equal(stdout, '127.0.0.77');
      }
    } finally {
      child.kill('SIGKILL');
      await ended;
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
}
