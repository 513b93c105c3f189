// The key: what the origin may answer by is in it, what is not in it does not reach the origin.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { overTls } from '../support/protocol.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const fresh = { 'Cache-Control': 'max-age=60' };

// Each makes some server or framework see another target, method, host or scheme than the request line and Host say.
const otherScheme = overTls ? 'http' : 'https';
for (const [name, value] of [
  ['X-Forwarded-Host', 'evil.example'], ['X-Forwarded-Server', 'evil.example'], ['X-Forwarded-Prefix', '/evil'], ['X-Forwarded-Scheme', otherScheme],
  ['X-Forwarded-Proto', otherScheme], ['X-Forwarded-Port', '65530'], ['X-Forwarded-For', '6.6.6.6'], ['X-Forwarded-Ssl', 'on'], ['X-Forwarded-Path', '/evil'],
  ['Forwarded', 'host=evil.example'], ['X-Original-URL', '/evil'], ['X-Rewrite-URL', '/evil'], ['X-Original-Host', 'evil.example'],
  ['X-Host', 'evil.example'], ['X-HTTP-Method-Override', 'DELETE'], ['X-HTTP-Method', 'DELETE'], ['X-Method-Override', 'DELETE'], ['X-Real-IP', '6.6.6.6'],
  ['X-HTTP-Host-Override', 'evil.example'], ['X-Host-Override', 'evil.example'], ['X-Original-URI', '/evil'], ['X-Original-Path', '/evil'],
  ['X-Original-Proto', 'evil'], ['X-Override-URL', '/evil'], ['X-Proxy-Url', 'http://evil.example'], ['X-HTTP-Path-Override', '/evil'],
  ['X-HTTP-DestinationURL', 'http://evil.example'], ['X-Forwarded', 'for=6.6.6.6'], ['X-Url-Scheme', 'evil'], ['X-Scheme', 'evil'], ['X-Protocol', 'evil'],
  ['X-HTTPS', 'evil'], ['X-ARR-SSL', 'evil'], ['Front-End-Https', 'evil'], ['Client-IP', '6.6.6.6'], ['X-Client-IP', '6.6.6.6'],
  ['True-Client-IP', '6.6.6.6'], ['X-Cluster-Client-IP', '6.6.6.6'], ['CF-Connecting-IP', '6.6.6.6'], ['Fastly-Client-IP', '6.6.6.6'],
  ['X-Azure-ClientIP', '6.6.6.6'], ['X-Originating-IP', '6.6.6.6'], ['X-Remote-IP', '6.6.6.6'], ['X-Remote-Addr', '6.6.6.6'],
  ['X-ProxyUser-Ip', '6.6.6.6'], ['X-Forward-For', '6.6.6.6'], ['X-Envoy-Original-Path', '/evil'], ['X-Envoy-External-Address', '6.6.6.6'],
  ['X-Sendfile-Type', 'X-Accel-Redirect'], ['X-Accel-Mapping', '/evil=/'], ['X-Middleware-Subrequest', 'evil'], ['X-Invoke-Path', '/evil'],
  ['Proxy', 'http://evil.example'],
]) {
  test(`what ${name} says is not in the key and does not reach the origin, with '_' neither`, async () => {
    for (const spelling of [name, name.toLowerCase().replaceAll('-', '_')]) {
      const path = lab.path();
      lab.origin.on(path, { fields: fresh, body: 'x' });
      await lab.get(path, { fields: { [spelling]: value } });
      expectHit(await lab.get(path));
      const [request] = lab.origin.requestsFor(path);
      const words = request.fields.flatMap(([, said]) => [said, ...said.split(/[;=,\s]+/)]);
      assert.ok(!words.includes(value), request.headBytes.toString());
    }
  });
}

const ruled = sharedLab({ settings: {
  'cache.ignore_query': 'utm_*,fbclid', 'cache.sort_query': 'true', 'cache.key_fields': 'X-Device', 'cache.key_cookies': 'tier',
} });

// Answers with what the origin was asked for.
function echo(at, path, fields = fresh) {
  at.origin.on(path, async (request, reply) => { await request.whole(); reply.send(200, fields, request.target); });
}

test('ignored parameters are neither in the key nor sent to the origin; the order of the others does not matter', async () => {
  const path = ruled.path();
  echo(ruled, path);
  expectWhole(await ruled.get(`${path}?utm_source=x&b=2&a=1&fbclid=y`), 200, `${path}?a=1&b=2`);
  for (const query of ['?a=1&b=2', '?b=2&a=1', '?b=2&utm_x&a=1']) expectHit(await ruled.get(path + query));
  for (const query of ['?a=1', '?a=1&b=3', '', '?a=1&b=2&c']) expectForwarded(await ruled.get(path + query), 'uri-miss');
  expectHit(await ruled.get(`${path}?utm_source`));
  assert.equal((await ruled.edge.accessLine((line) => line.target.endsWith('?utm_source'))).cache, 'hit');
});

test('key_fields and key_cookies: each value has an answer of its own, other cookies count for nothing', async () => {
  const path = ruled.path();
  ruled.origin.on(path, (request, reply) => reply.send(200, fresh, `${request.field('x-device')} ${request.field('cookie')}`));
  const asks = [{}, { 'X-Device': '' }, { 'X-Device': 'phone' }, { Cookie: 'tier=gold' }, { Cookie: 'tier=free' }, { 'X-Device': 'phone', Cookie: 'tier=gold' }];
  const answers = [];
  for (const fields of asks) {
    const answer = await ruled.get(path, { fields });
    expectForwarded(answer, 'uri-miss');
    answers.push(answer.text);
  }
  for (const [i, fields] of asks.entries()) expectWhole(await ruled.get(path, { fields }), 200, answers[i]);
  assert.equal(ruled.origin.requestsFor(path).length, asks.length);
  expectHit(await ruled.get(path, { fields: { Cookie: 'other=1; tier=gold; more=2' } }));
});

test('an unsafe method invalidates by the same key, whatever its ignored parameters are', async () => {
  const path = ruled.path();
  const other = ruled.path();
  echo(ruled, other);
  ruled.origin.on(path, async (request, reply) => {
    await request.whole();
    reply.send(200, request.method === 'POST' ? { Location: `${other}?z=1&utm_a=1&a=2` } : fresh, 'x');
  });
  await ruled.store(`${path}?b=1&a=2`);
  await ruled.store(`${other}?a=2&z=1`);
  await ruled.get(`${path}?utm_q=5&a=2&b=1`, { method: 'POST', body: '' });
  expectForwarded(await ruled.get(`${path}?b=1&a=2`));
  expectForwarded(await ruled.get(`${other}?z=1&a=2`));
});

test('a host with the dot of the DNS root at its end is the host without: one key, one Host for the origin, one scope', async () => {
  const path = lab.path();
  echo(lab, path, fresh);
  await lab.store(path, { host: 'Rooted.example.' });
  assert.equal(lab.origin.requestsFor(path)[0].field('host'), 'rooted.example');
  expectHit(await lab.get(path, { host: 'rooted.example' }));
  assert.equal((await lab.get(path, { host: 'rooted.example.', method: 'PURGE' })).status, 200);
  expectForwarded(await lab.get(path, { host: 'rooted.example' }));
});

test('No-Vary-Search: queries that differ in what does not matter share a stored response; the origin sees the query as it was', async () => {
  const path = lab.path();
  echo(lab, path, { ...fresh, 'No-Vary-Search': 'key-order, params=("session")' });
  expectWhole(await lab.get(`${path}?q=1&session=a`), 200, `${path}?q=1&session=a`);
  // The first answer has taught the rule; this one is stored by it.
  expectWhole(await lab.get(`${path}?q=1&session=b&r=2`), 200, `${path}?q=1&session=b&r=2`);
  for (const query of ['?r=2&q=1', '?q=1&r=2&session=c', '?session&q=%31&r=2']) {
    const hit = await lab.get(path + query);
    expectHit(hit);
    expectWhole(hit, 200, `${path}?q=1&session=b&r=2`);
  }
  expectForwarded(await lab.get(`${path}?q=2&r=2`), 'uri-miss');
});

test('No-Vary-Search: without the rule on the answer itself nobody else gets it', async () => {
  const path = lab.path();
  let rule = { 'No-Vary-Search': 'params' };
  lab.origin.on(path, (request, reply) => reply.send(200, { ...fresh, ...rule }, request.target));
  await lab.get(`${path}?a`);
  await lab.get(`${path}?b`);
  expectWhole(await lab.get(`${path}?c`), 200, `${path}?b`);
  // It says so no more: what is stored under the rule is that of ?b, and what comes now is for its own query alone.
  rule = {};
  await lab.get(path, { method: 'POST', body: '' });
  expectWhole(await lab.get(`${path}?d`), 200, `${path}?d`);
  expectWhole(await lab.get(`${path}?e`), 200, `${path}?e`);
  expectWhole(await lab.get(`${path}?f`), 200, `${path}?f`);
});

test('No-Vary-Search: clients that wait for one answer together get their own where it does not carry the rule', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  let late = false;
  lab.origin.on(path, async (request, reply) => {
    if (late) await opened;
    reply.send(200, late ? fresh : { ...fresh, 'No-Vary-Search': 'params' }, request.target);
  });
  await lab.get(`${path}?a`);
  await lab.get(path, { method: 'POST', body: '' });
  late = true;
  const clients = await Promise.all([1, 2, 3].map(() => lab.connect()));
  clients.forEach((client, i) => client.request(`${path}?q=${i}`));
  await lab.origin.received(path, 3);
  open();
  for (const [i, client] of clients.entries()) expectWhole(await client.response(), 200, `${path}?q=${i}`);
});

test('No-Vary-Search: a stored part that does not carry the rule is for its own query alone', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    if (!request.has('range')) return reply.send(200, { ...fresh, 'No-Vary-Search': 'params' }, request.target);
    return reply.send(206, { ...fresh, ETag: '"v"', 'Content-Range': 'bytes 990-999/1000' }, request.target.slice(-10));
  });
  await lab.get(`${path}?a`);
  const fields = { Range: 'bytes=-10' };
  // Nothing is stored by the rule yet.
  for (const query of ['?0123456789', '?abcdefghij']) {
    const response = await lab.get(path + query, { fields });
    assert.equal(response.status, 206);
    assert.equal(response.body.toString(), query.slice(-10));
  }
});

test('No-Vary-Search: an unsafe method invalidates what is stored by the rule', async () => {
  const path = lab.path();
  echo(lab, path, { ...fresh, 'No-Vary-Search': 'params=("s")' });
  await lab.get(`${path}?s=1&a=1`);
  await lab.get(`${path}?s=2&a=1`);
  expectHit(await lab.get(`${path}?s=3&a=1`));
  await lab.get(`${path}?a=1&s=9`, { method: 'POST', body: '' });
  expectForwarded(await lab.get(`${path}?s=3&a=1`));
});

// What is stored by a rule is found again when the rule is learned again, whatever was known in between.
test('No-Vary-Search: an unsafe method invalidates what is stored by a rule that is forgotten, after a restart', async (t) => {
  const own = await ownLab(t);
  const host = 'search.example';
  let body = 'old';
  own.origin.on('/s', async (request, reply) => {
    await request.whole();
    reply.send(200, request.method === 'POST' ? {} : { ...fresh, 'No-Vary-Search': 'params=("s")' }, body);
  });
  await own.store('/s?a=1&s=1', { host });
  await own.store('/s?a=1&s=2', { host });
  await own.edge.stopForRestart();
  await own.edge.spawn();
  body = 'new';
  await own.get('/s?a=1&s=9', { host, method: 'POST', body: '' });
  expectHit(await own.get('/s?a=1&s=1', { host }));
  expectWhole(await own.get('/s?a=1&s=9', { host }), 200, 'new');
});

for (const [how, ask] of [
  ['an unsafe method', (own, target) => own.get(target, { method: 'POST', body: '' })],
  ['PURGE', (own, target) => own.get(target, { method: 'PURGE' })],
]) {
  test(`No-Vary-Search: ${how} reaches what is stored by a rule that another has replaced`, async (t) => {
    const own = await ownLab(t);
    let body = 'old';
    own.origin.on('/s', async (request, reply) => {
      await request.whole();
      const ignored = request.target.includes('a=') ? 's' : 't';
      reply.send(200, { ...fresh, 'No-Vary-Search': `params=("${ignored}")` }, body);
    });
    await own.store('/s?a=1&s=1');
    await own.store('/s?a=1&s=2');
    await own.store('/s?b=1');
    body = 'new';
    await ask(own, '/s?a=1&s=9');
    // The first rule again.
    expectWhole(await own.get('/s?a=2'), 200, 'new');
    expectWhole(await own.get('/s?a=1&s=9'), 200, 'new');
  });
}

test('a condition with an entity tag of ours alone is answered 412 here', async (t) => {
  const own = await ownLab(t);
  own.origin.on('/own', async (request, reply) => { await request.whole(); reply.send(200, {}, request.field('if-match') ?? 'none'); });
  const ours = `"fr1-${'0123456789abcdef'.repeat(2)}"`;
  for (const method of ['PUT', 'DELETE', 'GET']) {
    const refused = await own.get('/own', { method, fields: { 'If-Match': ours }, body: method === 'PUT' ? 'x' : undefined });
    assert.equal(refused.status, 412);
    assert.match(refused.field('cache-status'), /^freshet; detail=own-entity-tag/);
    assert.match(refused.field('proxy-status'), /^freshet/);
  }
  assert.equal(own.origin.requests.length, 0);
  expectWhole(await own.get('/own', { method: 'PUT', fields: { 'If-Match': `${ours}, "theirs"` }, body: '' }), 200, '"theirs"');
  expectWhole(await own.get('/own', { method: 'PUT', fields: { 'If-Match': '*' }, body: '' }), 200, '*');
});
