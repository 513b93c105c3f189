// What the edge says about an answer: Cache-Status (RFC 9211), Proxy-Status (RFC 9209), Age, Via; and what it says before
// one: 1xx (RFC 9110 section 15.2, RFC 8297).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Edge } from '../support/edge.mjs';
import { expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { cacheStatus, lowered, valueOf } from '../support/message.mjs';
import { notOverHttp2, overHttp2 } from '../support/protocol.mjs';
import { fetchRaw } from '../support/raw_client.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab({ settings: { 'cache.status_key': 'true' } });
const fresh = { 'Cache-Control': 'max-age=60' };

// The members of Cache-Status in order, by name.
const members = (response) => valueOf(response.fields, 'cache-status').split(/,\s*/).map((m) => m.split(';')[0]);

test('the members of caches on the origin\'s side stay, ours comes last: miss, hit, 304, 206, 416 and HEAD', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { ...fresh, ETag: '"v"', 'Cache-Status': 'inner; fwd=uri-miss' }, body: 'hello' });
  const ask = (options) => lab.get(path, options);
  const answers = [
    await ask(), await ask(), await ask({ fields: { 'If-None-Match': '"v"' } }), await ask({ fields: { Range: 'bytes=1-2' } }),
    await ask({ fields: { Range: 'bytes=9-' } }), await ask({ method: 'HEAD' }),
  ];
  assert.deepEqual(answers.map((a) => a.status), [200, 200, 304, 206, 416, 200]);
  for (const answer of answers) assert.deepEqual(members(answer), ['inner', 'freshet'], answer.head);
});

test('the key is told where the setting asks for it, as a string', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: fresh, body: 'x' });
  for (let i = 0; i < 2; ++i) {
    const response = await lab.get(`${path}?a="b"`);
    assert.equal(cacheStatus(response).key, `${lab.edge.url}${path}?a="b"`);
  }
});

test('without the setting only a trusted client is told, when it asks; the field is not forwarded', async (t) => {
  for (const trusted of [false, true]) {
    const own = await ownLab(t, { settings: trusted ? { 'server.trusted_proxies': '127.0.0.1' } : {} });
    own.origin.on('/k', { fields: fresh, body: 'x' });
    const asked = await own.get('/k', { fields: { 'Freshet-Debug': 'key' } });
    assert.equal(cacheStatus(asked).key !== undefined, trusted, asked.head);
    assert.equal(own.origin.requests[0].has('freshet-debug'), false);
    const plain = await own.get('/k');
    expectHit(plain);
    assert.equal(cacheStatus(plain).key, undefined);
  }
});

for (const [what, bytes, status] of [
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['a version that is not spoken', 'GET / HTTP/3.0\r\nHost: a\r\n\r\n', 505],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 501],
]) {
  test(`a refusal (${what}) has Cache-Status`, notOverHttp2('CONNECT is in scenario 45, a malformed request has no answer'), async () => {
    const client = await lab.connect();
    const response = await client.send(bytes).response();
    assert.equal(response.status, status);
    assert.deepEqual(members(response), ['freshet']);
    assert.match(response.field('proxy-status'), /^freshet(; error=http_request_error)?$/);
  });
}

test('a 504 of only-if-cached and a 502 have Cache-Status and Proxy-Status with a reason; an answer of the origin has no Proxy-Status', async (t) => {
  const own = await ownLab(t);
  const forbidden = await own.get('/nothing', { fields: { 'Cache-Control': 'only-if-cached' } });
  assert.equal(forbidden.status, 504);
  assert.equal(cacheStatus(forbidden).detail, 'only-if-cached');
  assert.equal(forbidden.field('proxy-status'), 'freshet; error=proxy_internal_response');
  own.origin.on('/503', { status: 503, fields: fresh, body: 'x' });
  assert.equal((await own.get('/503')).has('proxy-status'), false);
  await own.origin.down();
  const down = await own.get('/down');
  assert.equal(down.status, 502);
  assert.equal(cacheStatus(down).detail, 'origin-unreachable');
  assert.equal(cacheStatus(down).fwd, 'uri-miss');
  assert.equal(down.field('proxy-status'), 'freshet; error=destination_unavailable');
});

test('two edges in a row: Age adds up, Date stays the origin\'s, Via and Cache-Status have both in order', async (t) => {
  const own = await ownLab(t);
  const outer = await Edge.start({ origin: own.edge.clearUrl });
  t.after(() => outer.stop());
  const date = new Date(Date.now() - 20_000).toUTCString();
  own.origin.on('/two', { fields: { 'Cache-Control': 'max-age=600', Date: date, Age: '100' }, body: 'x' });
  const host = 'site.example';
  // In the inner one, then in both.
  expectWhole(await fetchRaw(own.edge.port, '/two', { host }), 200, 'x');
  const first = await fetchRaw(outer.port, '/two', { host });
  const second = await fetchRaw(outer.port, '/two', { host });
  assert.equal(own.origin.requestsFor('/two').length, 1);
  for (const response of [first, second]) {
    assert.equal(response.field('date'), date);
    assert.ok(Number(response.field('age')) >= 100 && Number(response.field('age')) < 400, response.head);
    assert.equal(response.field('via'), '1.1 freshet, 1.1 freshet');
    const [inner, ours] = valueOf(response.fields, 'cache-status').split(/,\s*/);
    assert.match(inner, /^freshet; hit/);
    assert.match(ours, response === first ? /^freshet; fwd=uri-miss/ : /^freshet; hit/);
  }
});

test('Surrogate-Control is for us, and goes on to another surrogate alone; the origin is told that we are one', async (t) => {
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Surrogate-Control': 'max-age=60', ETag: '"v"' }, body: 'hello' });
  for (const options of [{}, {}, { method: 'HEAD' }, { fields: { Range: 'bytes=0-1' } }, { fields: { 'If-None-Match': '"v"' } }]) {
    assert.equal((await lab.get(path, options)).has('surrogate-control'), false);
  }
  const surrogate = { 'Surrogate-Capability': 'outer="Surrogate/1.0"' };
  const hit = await lab.get(path, { fields: surrogate });
  expectHit(hit);
  assert.equal(hit.field('surrogate-control'), 'max-age=60');
  assert.equal(lab.origin.requestsFor(path)[0].field('surrogate-capability'), 'freshet="Surrogate/1.0"');

  const off = await ownLab(t, { settings: { 'cache.surrogate_control': 'false' } });
  off.origin.on('/off', { fields: { ...fresh, 'Surrogate-Control': 'no-store' }, body: 'hello' });
  for (const expected of [() => {}, expectHit]) {
    const response = await off.get('/off');
    expected(response);
    assert.equal(response.field('surrogate-control'), 'no-store');
  }
  assert.equal(off.origin.requests[0].has('surrogate-capability'), false);
});

test('100, 102 and 103 of the origin reach the client, in order, before the answer and before a pipelined one', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\n');
    reply.write('HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n');
    reply.send(200, { 'Cache-Control': 'no-store' }, 'body');
  });
  const other = lab.path();
  lab.origin.on(other, { fields: fresh, body: 'other' });
  const client = await lab.connect();
  client.request(path).request(other);
  const response = await client.response();
  expectWhole(response, 200, 'body');
  assert.deepEqual(response.interim.map((r) => r.status), [100, 102, 103]);
  assert.equal(response.interim[2].field('link'), '</x>; rel=preload');
  assert.equal(response.interim[2].has('x-hop'), false);
  assert.equal(response.interim[2].has('connection'), false);
  const next = await client.response();
  expectWhole(next, 200, 'other');
  assert.deepEqual(next.interim, []);
});

test('an HTTP/1.0 client gets no 1xx', notOverHttp2('it has one version'), async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
    reply.send(200, fresh, 'body');
  });
  const response = await lab.get(path, { version: '1.0' });
  expectWhole(response, 200, 'body');
  assert.deepEqual(response.interim, []);
});

test('a client that waits for 100 gets one, though the origin sends its own', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => {
    reply.write('HTTP/1.1 100 Continue\r\n\r\n');
    await request.whole();
    reply.send(200, {}, `got ${request.body}`);
  });
  const client = await lab.connect();
  client.request(path, { method: 'POST', fields: { Expect: '100-continue', 'Content-Length': '5' } });
  assert.equal((await client.interimHead()).status, 100);
  client.content('hello');
  const response = await client.response();
  expectWhole(response, 200, 'got hello');
  assert.deepEqual(response.interim, []);
});

const hinting = sharedLab({ settings: { 'cache.early_hints': 'true' } });

// `link` ahead of each answer; the first is stored with `first`, a later one is a 304 with `later`, after `wait`.
function hints(path, { link = '</a.css>; rel=preload', more = '', first = fresh, later = fresh, wait } = {}) {
  hinting.origin.on(path, async (request, reply) => {
    if (request.has('if-none-match')) {
      await wait;
      reply.write(`HTTP/1.1 103 Early Hints\r\nLink: ${link}\r\n\r\n`);
      return reply.send(304, { ...later, ETag: '"v"' });
    }
    reply.write(`HTTP/1.1 103 Early Hints\r\nLink: ${link}\r\n${more}\r\n`);
    return reply.send(200, { ...first, ETag: '"v"' }, 'body');
  });
}

test('early_hints: a 103 is remembered and sent ahead of a hit and of a 304, not to HTTP/1.0, without cookies', async () => {
  const path = hinting.path();
  hints(path, { more: 'Set-Cookie: a=b\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n' });
  const first = await hinting.get(path);
  assert.deepEqual(first.interim.map((r) => r.status), [103]);
  for (const fields of [{}, { 'If-None-Match': '"v"' }]) {
    const again = await hinting.get(path, { fields });
    expectHit(again);
    assert.deepEqual(again.interim.map((r) => [r.status, lowered(r.fields)]), [[103, [['link', '</a.css>; rel=preload']]]]);
    assert.equal(again.has('link'), false);
  }
  if (!overHttp2) assert.deepEqual((await hinting.get(path, { version: '1.0' })).interim, []);
  assert.deepEqual((await hinting.get(path, { method: 'HEAD' })).interim, []);
});

test('early_hints: on a validation they go out before the origin has answered, and are not repeated', async () => {
  const path = hinting.path();
  const { opened, open } = gate();
  hints(path, { first: { 'Cache-Control': 'max-age=60', Age: '100' }, wait: opened });
  await hinting.get(path);
  const client = await hinting.connect();
  client.request(path);
  const early = await client.interimHead();
  assert.deepEqual([early.status, lowered(early.fields)], [103, [['link', '</a.css>; rel=preload']]]);
  await hinting.origin.received(path, 2);
  open();
  const response = await client.response();
  expectWhole(response, 200, 'body');
  assert.deepEqual(response.interim, []);
});

test('early_hints: those of a request with a cookie are not remembered', async () => {
  const path = hinting.path();
  hints(path);
  await hinting.get(path, { fields: { Cookie: 'me=1' } });
  const hit = await hinting.get(path);
  expectHit(hit);
  assert.deepEqual(hit.interim, []);
});

test('early_hints: an answer without a 103 ends them', async () => {
  const path = hinting.path();
  hints(path, { first: { 'Cache-Control': 'no-store' } });
  await hinting.get(path);
  hinting.origin.on(path, { fields: fresh, body: 'new' });
  assert.equal((await hinting.get(path)).interim.length, 1);
  assert.deepEqual((await hinting.get(path)).interim, []);
});

test('early_hints: what is purged is not hinted at any more, what is made stale is', async () => {
  const path = hinting.path();
  const other = hinting.path();
  hints(path);
  hints(other);
  const early = async (of) => (await hinting.get(of, { method: 'GET' })).interim.map((r) => r.status);
  const purge = (of, fields = {}) => hinting.get(of, { method: 'PURGE', fields });
  const plain = () => hinting.origin.on(path, { fields: fresh, body: 'new' });
  await early(path);
  await early(other);
  assert.equal((await purge(path, { 'Soft-Purge': '1' })).status, 200);
  assert.deepEqual(await early(path), [103]);
  assert.equal((await purge(path)).status, 200);
  plain();
  assert.deepEqual(await early(path), []);
  assert.deepEqual(await early(other), [103], 'another URL');
  assert.equal((await purge('/', { 'Surrogate-Key': 'any' })).status, 200);
  assert.deepEqual(await early(other), [], 'by tag: of all');
});

test('without the setting no 103 is sent early', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
    reply.send(200, fresh, 'body');
  });
  await lab.get(path);
  assert.deepEqual((await lab.get(path)).interim, []);
});
