// Which fields cross the edge (RFC 9110 section 7.6) and which it writes itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { valuesOf } from '../support/message.mjs';
import { notOverHttp2, overHttp2, overTls, scheme } from '../support/protocol.mjs';

const lab = sharedLab();
const noStore = { 'Cache-Control': 'no-store' };
const refused = 'such fields make a request malformed (scenario 46)';

// Sends the fields and returns the request that the origin saw.
async function seenByOrigin(fields, options = {}) {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => { await request.whole(); reply.send(200, noStore, 'x'); });
  const response = await lab.get(path, { fields, ...options });
  assert.equal(response.status, 200, response.head);
  const requests = lab.origin.requestsFor(path);
  assert.equal(requests.length, 1);
  return requests[0];
}

test('hop-by-hop request fields are not forwarded', notOverHttp2(refused), async () => {
  const request = await seenByOrigin({
    Connection: 'keep-alive', 'Keep-Alive': 'timeout=5', 'Proxy-Connection': 'keep-alive', TE: 'trailers', Upgrade: 'h2c', 'X-Kept': 'yes',
  });
  for (const name of ['keep-alive', 'proxy-connection', 'te', 'upgrade']) assert.equal(request.has(name), false, `${name} was forwarded`);
  assert.equal(request.field('x-kept'), 'yes');
});

test('fields that Connection names are not forwarded, in any case and number', notOverHttp2(refused), async () => {
  const request = await seenByOrigin([['X-One', '1'], ['Connection', 'x-ONE, close'], ['Connection', ' X-Two'], ['x-two', '2'], ['X-Three', '3']]);
  assert.equal(request.has('x-one'), false);
  assert.equal(request.has('x-two'), false);
  assert.equal(request.field('x-three'), '3');
});

test('Connection cannot take away what the message needs: Host, Content-Length, Cache-Control stay', notOverHttp2(refused), async () => {
  const request = await seenByOrigin(
    { Connection: 'Host, Content-Length, Via, X-Forwarded-For', Host: 'kept.example' }, { method: 'POST', body: 'abc' });
  assert.equal(request.field('host'), 'kept.example');
  assert.equal(request.body.toString(), 'abc');
  assert.ok(request.has('via'));
});

test('hop-by-hop response fields and those that Connection names are not forwarded and not stored', async () => {
  const path = lab.path();
  lab.origin.on(path, {
    fields: [['Connection', 'X-Hop, keep-alive'], ['X-Hop', '1'], ['Keep-Alive', 'timeout=5'], ['Proxy-Authenticate', 'Basic realm="x"'], ['X-Kept', 'yes'],
      ['Cache-Control', 'max-age=60']],
    body: 'x',
  });
  for (const expected of [expectForwarded, expectHit]) {
    const response = await lab.get(path);
    expected(response);
    for (const name of ['x-hop', 'keep-alive']) assert.equal(response.has(name), false, `${name} was forwarded`);
    assert.equal(response.field('x-kept'), 'yes');
  }
});

test('Via is added to the request and to the response, after what was there', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { Via: '1.0 inner', ...noStore }, body: 'x' });
  const response = await lab.get(path, { fields: { Via: '1.0 outer' } });
  assert.equal(lab.origin.requestsFor(path)[0].field('via'), `1.0 outer, ${overHttp2 ? '2.0' : '1.1'} freshet`);
  assert.equal(response.field('via'), '1.0 inner, 1.1 freshet');
});

test('X-Forwarded-For, -Proto, -Host and Forwarded are the edge\'s own; the client\'s are not trusted', async () => {
  const request = await seenByOrigin([
    ['X-Forwarded-For', '6.6.6.6'], ['X-Forwarded-For', '7.7.7.7'], ['X-Forwarded-Proto', overTls ? 'http' : 'https'], ['X-Forwarded-Host', 'evil.example'],
    ['Forwarded', 'for=6.6.6.6;host=evil.example'], ['Host', 'real.example'],
  ]);
  assert.deepEqual(valuesOf(request.fields, 'x-forwarded-for'), ['127.0.0.1']);
  assert.deepEqual(valuesOf(request.fields, 'x-forwarded-proto'), [scheme]);
  assert.deepEqual(valuesOf(request.fields, 'x-forwarded-host'), ['real.example']);
  const forwarded = request.field('forwarded');
  assert.ok(!/6\.6\.6\.6|evil/.test(forwarded), forwarded);
  assert.match(forwarded, /for="?127\.0\.0\.1"?/i);
  assert.match(forwarded, new RegExp(`proto=${scheme}\\b`, 'i'));
});

test('a trusted proxy\'s X-Forwarded-For is kept and continued', async (t) => {
  const trusting = await ownLab(t, { settings: { 'server.trusted_proxies': '127.0.0.1/32' } });
  trusting.origin.on('/', { body: 'x' });
  await trusting.get('/', { fields: { 'X-Forwarded-For': '192.0.2.7', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'shop.example' } });
  const [request] = trusting.origin.requestsFor('/');
  assert.equal(request.field('x-forwarded-for'), '192.0.2.7, 127.0.0.1');
  assert.equal(request.field('x-forwarded-proto'), 'https');
  assert.equal(request.field('x-forwarded-host'), 'shop.example');
});

test("what a trusted proxy says of its client's scheme and host is in the key", async (t) => {
  const trusting = await ownLab(t, { settings: { 'server.trusted_proxies': '127.0.0.1/32' } });
  trusting.origin.on('/', (request, reply) => {
    reply.send(200, { 'Cache-Control': 'max-age=60' }, `${request.field('x-forwarded-proto')} ${request.field('x-forwarded-host')}`);
  });
  for (let round = 0; round < 2; ++round) {
    for (const [scheme, host] of [['http', 'a.example'], ['https', 'a.example'], ['https', 'b.example']]) {
      const fields = { 'X-Forwarded-Proto': scheme, 'X-Forwarded-Host': host };
      assert.equal((await trusting.get('/', { fields })).text, `${scheme} ${host}`);
    }
  }
  assert.equal(trusting.origin.requestsFor('/').length, 3);
});

test('fields that could change the target behind the key are removed', async () => {
  const request = await seenByOrigin({
    'X-Original-URL': '/admin', 'X-Rewrite-URL': '/admin', 'X-HTTP-Method-Override': 'DELETE', 'X-Kept': 'yes',
  });
  for (const name of ['x-original-url', 'x-rewrite-url', 'x-http-method-override']) assert.equal(request.has(name), false, `${name} was forwarded`);
  assert.equal(request.field('x-kept'), 'yes');
});

test('G9: what the origin gets is exactly one request with nothing added but what the edge documents', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: noStore, body: 'x' });
  const connections = lab.origin.connections;
  const client = await lab.connect();
  client.request(path, { host: 'only.example', fields: { 'X-A': '1' } });
  expectWhole(await client.response(), 200, 'x');
  const [request] = lab.origin.requestsFor(path);
  const allowed = new Set(['host', 'x-a', 'via', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'surrogate-capability', 'connection']);
  for (const name of request.names) assert.ok(allowed.has(name), `the origin got ${name}\n${request.headBytes}`);
  assert.equal(new Set(request.names).size, request.names.length, `a field twice\n${request.headBytes}`);
  assert.ok(lab.origin.connections - connections <= 1);
  assert.deepEqual(lab.origin.errors, []);
});

test('Accept, User-Agent, Accept-Encoding and Cookie are the client\'s, byte for byte', async () => {
  const request = await seenByOrigin({ Accept: 'text/x;q=0.5', 'User-Agent': 'tester/1 (a; b)', 'Accept-Encoding': 'zstd', Cookie: 'a=b;  c="d"' });
  assert.equal(request.field('accept'), 'text/x;q=0.5');
  assert.equal(request.field('user-agent'), 'tester/1 (a; b)');
  assert.equal(request.field('accept-encoding'), 'zstd');
  assert.equal(request.field('cookie'), 'a=b;  c="d"');
});

test('a field with an empty value arrives with an empty value', async () => {
  const request = await seenByOrigin({ 'X-Empty': '', Accept: '' });
  assert.equal(request.field('x-empty'), '');
  assert.equal(request.field('accept'), '');
});

test('a bodyless request carries no Content-Length and no Transfer-Encoding to the origin', async () => {
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) {
    const request = await seenByOrigin({}, { method });
    assert.equal(request.has('content-length'), false, method);
    assert.equal(request.has('transfer-encoding'), false, method);
  }
});

test('an empty POST stays a POST with Content-Length: 0', async () => {
  const request = await seenByOrigin({}, { method: 'POST', body: '' });
  assert.equal(request.method, 'POST');
  assert.equal(request.field('content-length'), '0');
});

test('the cache key and the forwarded host come from one function: host in any case and the default port are one', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60' }, body: 'x' });
  expectForwarded(await lab.get(path, { host: 'Key.Example' }));
  expectHit(await lab.get(path, { host: 'key.example' }));
  expectHit(await lab.get(path, { host: `KEY.example:${overTls ? 443 : 80}` }));
  expectForwarded(await lab.get(path, { host: 'key.example:8080' }));
  assert.deepEqual(lab.origin.requestsFor(path).map((r) => r.field('host')), ['key.example', 'key.example:8080']);
});

test('path and query are part of the key byte for byte', async () => {
  const path = lab.path();
  lab.origin.otherwise((request, reply) => reply.send(200, { 'Cache-Control': 'max-age=60' }, request.target));
  for (const target of [path, `${path}/`, `${path}?`, `${path}?a=1&b=2`, `${path}?b=2&a=1`, `${path}/%7e`, `${path}/~`, `${path}/x/../`]) {
    expectWhole(await lab.get(target), 200, target);
    const again = await lab.get(target);
    expectHit(again);
    expectWhole(again, 200, target);
  }
});

test('what a trusted proxy says in Forwarded of the target is in the key, who the client is is not', async (t) => {
  const trusting = await ownLab(t, { settings: { 'server.trusted_proxies': '127.0.0.1/32' } });
  trusting.origin.on('/', (request, reply) => reply.send(200, { 'Cache-Control': 'max-age=60' }, request.field('forwarded')));
  const ask = (forwarded) => trusting.get('/', { host: 'a.example', fields: forwarded === undefined ? {} : { Forwarded: forwarded } });
  for (const forwarded of [undefined, 'for=192.0.2.1;host=evil.example', `for=192.0.2.1;proto=${overTls ? 'http' : 'https'}`, 'for="192.0.2.1;host=evil.example', 'host="evil.example"']) {
    const first = await ask(forwarded);
    expectForwarded(first);
    assert.ok(forwarded === undefined || first.text.startsWith(forwarded), first.text);
  }
  expectHit(await ask('for=192.0.2.9;host=evil.example'));
  expectHit(await ask(`for=192.0.2.9;host=a.example;proto=${scheme}`));
});
