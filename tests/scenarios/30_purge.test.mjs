// Purging by an operator: every scope, hard and soft, from the data plane, the admin plane and the command line; who may, and that it lasts (G4).

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';

import { Edge, runToEnd, temporaryDirectory } from '../support/edge.mjs';
import { expectForwarded, expectHit, expectMiss, expectRevalidated, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { notOverHttp2, overTls, scheme } from '../support/protocol.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const fresh = { 'Cache-Control': 'max-age=600' };
const host = 'purge.example';

// GETs get what `version` says at the time, with a validator that moves with it.
function versioned(where, target, fields = {}) {
  const state = { version: 1 };
  where.origin.on(target, async (request, reply) => {
    const etag = `"v${state.version}"`;
    if (request.field('if-none-match') === etag) return reply.send(304, { ...fresh, ...fields, ETag: etag });
    return reply.send(200, { ...fresh, ...fields, ETag: etag }, `version ${state.version}`);
  });
  return state;
}

const lines = (response) => JSON.parse(response.text);

// freshet purge on that edge: {status, stdout, stderr}.
function purge(edge, ...words) {
  return runToEnd(['purge', '--cache-dir', edge.cacheDir, ...words]);
}

async function purged(edge, ...words) {
  const done = await purge(edge, ...words);
  assert.deepEqual([done.status, done.stderr], [0, ''], done.stdout);
  return done.stdout;
}

// POST /v1/invalidate over the unix socket, or over TCP to `port`.
function invalidate(edge, order, { port, headers = {}, method = 'POST' } = {}) {
  const body = typeof order === 'string' ? order : JSON.stringify(order);
  const where = port ? { port, host: '127.0.0.1' } : { socketPath: path.join(edge.cacheDir, 'admin.sock') };
  return new Promise((resolve, reject) => {
    const request = http.request({ ...where, path: '/v1/invalidate', method, agent: false,
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.once('error', reject);
    request.end(body);
  });
}

// PURGE on the data plane.

test('G4: PURGE of a URL: acknowledged as durable, the next request is a miss', async () => {
  const target = lab.path();
  const state = versioned(lab, target);
  await lab.store(target);
  expectHit(await lab.get(target));
  state.version = 2;
  const answer = await lab.get(target, { method: 'PURGE' });
  assert.equal(answer.status, 200);
  assert.equal(answer.field('cache-control'), 'no-store');
  assert.equal(lines(answer).durable, true);
  assert.equal(lines(answer).strength, 'hard');
  const after = await lab.get(target);
  expectMiss(after);
  expectWhole(after, 200, 'version 2');
  expectHit(await lab.get(target));
  assert.deepEqual(lab.origin.requestsFor(target).map((r) => r.method), ['GET', 'GET'], 'no origin sees a PURGE');
  const again = await lab.get(target, { method: 'PURGE' });
  assert.ok(lines(again).sequence > lines(answer).sequence);
});

test('PURGE takes every variant of a URL, and the parts of it', async () => {
  const target = lab.path();
  lab.origin.on(target, (request, reply) => reply.send(200, { ...fresh, Vary: 'X-V' }, request.field('x-v') ?? ''));
  const ask = (v) => lab.get(target, { fields: { 'X-V': v } });
  for (const v of ['a', 'b']) await ask(v);
  for (const v of ['a', 'b']) expectHit(await ask(v));
  await lab.get(target, { method: 'PURGE' });
  for (const v of ['a', 'b']) expectForwarded(await ask(v));
});

test('the event log names who has purged what', async () => {
  const target = lab.path();
  const { sequence } = lines(await lab.get(target, { method: 'PURGE' }));
  const line = await lab.edge.logLine(new RegExp(`; sequence ${sequence}$`));
  assert.ok(line.includes(` purged by 127.0.0.1: ${scheme}://`) && line.includes(`${target};`), line);
  await purged(lab.edge, '--soft', '--tag', 'event-log-a', '--tag', 'event-log-b');
  await lab.edge.logLine(new RegExp(` made stale by uid ${process.getuid()} \\(admin plane\\): event-log-a and 1 more; sequence \\d+$`));
});

test('PURGE of one query leaves the others', async () => {
  const target = lab.path();
  lab.origin.on(target, (request, reply) => reply.send(200, fresh, request.target));
  for (const query of ['?a', '?b', '']) await lab.store(target + query);
  await lab.get(`${target}?a`, { method: 'PURGE' });
  expectForwarded(await lab.get(`${target}?a`));
  expectHit(await lab.get(`${target}?b`));
  expectHit(await lab.get(target));
});

test('PURGE goes by the same key rules as GET', async (t) => {
  const own = await ownLab(t, { settings: { 'cache.ignore_query': 'utm_*', 'cache.sort_query': 'true', 'cache.key_fields': 'X-Device', 'cache.key_cookies': 'lang' } });
  own.origin.on('/k', (request, reply) => reply.send(200, fresh, 'x'));
  const phone = { 'X-Device': 'phone', Cookie: 'lang=de' };
  await own.store('/k?b=1&a=2', { fields: phone });
  await own.store('/k?b=1&a=2');
  await own.get('/k?a=2&utm_source=x&b=1', { method: 'PURGE' });
  expectForwarded(await own.get('/k?b=1&a=2', { fields: phone }));
  expectForwarded(await own.get('/k?b=1&a=2'));
});

test('PURGE of a URL whose queries are one by No-Vary-Search', async () => {
  const target = lab.path();
  lab.origin.on(target, (request, reply) => reply.send(200, { ...fresh, 'No-Vary-Search': 'params=("s")' }, 'x'));
  await lab.store(`${target}?a=1&s=1`);
  await lab.store(`${target}?a=1&s=2`);
  expectHit(await lab.get(`${target}?a=1&s=3`));
  await lab.get(`${target}?a=1&s=9`, { method: 'PURGE' });
  expectForwarded(await lab.get(`${target}?a=1&s=3`));
});

test('G4: a query purged after a restart, when the No-Vary-Search rule of its path is forgotten', async (t) => {
  const own = await ownLab(t);
  own.origin.on('/s', (request, reply) => reply.send(200, { ...fresh, 'No-Vary-Search': 'params=("s")' }, `answer ${own.origin.requestsFor('/s').length}`));
  await own.store('/s?a=1&s=1', { host });
  await own.store('/s?a=1&s=2', { host });
  await own.edge.stopForRestart();
  await own.edge.spawn();
  await purged(own.edge, `${scheme}://${host}/s?s=9&a=1`);
  const before = own.origin.requestsFor('/s').length;
  await own.store('/s?a=1&s=3', { host });
  const after = await own.get('/s?a=1&s=4', { host });
  assert.ok(Number(after.text.split(' ')[1]) > before, `${after.text} is from before the purge`);
});

test('PURGE with Surrogate-Key purges what carries those tags, and not its target', async () => {
  const target = lab.path();
  const tagged = lab.path();
  versioned(lab, target);
  versioned(lab, tagged, { 'Surrogate-Key': `of-${target.slice(1)} other` });
  await lab.store(target);
  await lab.store(tagged);
  const answer = await lab.get(target, { method: 'PURGE', fields: { 'Surrogate-Key': `nothing of-${target.slice(1)}` } });
  assert.equal(answer.status, 200);
  expectHit(await lab.get(target));
  expectMiss(await lab.get(tagged));
});

for (const field of ['Soft-Purge', 'Fastly-Soft-Purge']) {
  test(`${field}: the stored response is validated before it is used`, async () => {
    const target = lab.path();
    const state = versioned(lab, target);
    await lab.store(target);
    const answer = await lab.get(target, { method: 'PURGE', fields: { [field]: '1' } });
    assert.equal(lines(answer).strength, 'soft');
    const after = await lab.get(target);
    expectRevalidated(after);
    expectWhole(after, 200, 'version 1');
    assert.equal(lab.origin.requestsFor(target).at(-1).field('if-none-match'), '"v1"');
    expectHit(await lab.get(target));
    state.version = 2;
    await lab.get(target, { method: 'PURGE', fields: { [field]: '1' } });
    expectWhole(await lab.get(target), 200, 'version 2');
  });
}

test('PURGE answers in turn on a connection that goes on', notOverHttp2('its streams have no order'), async () => {
  const target = lab.path();
  versioned(lab, target);
  const client = await lab.connect();
  for (const method of ['GET', 'GET', 'PURGE', 'GET', 'PURGE', 'PURGE', 'GET']) client.request(target, { method });
  const answers = [];
  for (let i = 0; i < 7; ++i) answers.push(await client.response());
  assert.deepEqual(answers.map((a) => a.status), Array(7).fill(200));
  expectHit(answers[1]);
  expectMiss(answers[3]);
  assert.equal(lines(answers[5]).durable, true);
  expectMiss(answers[6]);
});

test('what PURGE does not take: content, a wish that is no yes or no, no tag', async () => {
  const target = lab.path();
  versioned(lab, target);
  await lab.store(target);
  assert.equal((await lab.get(target, { method: 'PURGE', body: 'x' })).status, 400);
  assert.equal((await lab.get(target, { method: 'PURGE', fields: { 'Soft-Purge': 'please' } })).status, 400);
  assert.equal((await lab.get(target, { method: 'PURGE', fields: { 'Surrogate-Key': ', ' } })).status, 400);
  expectHit(await lab.get(target));
});

// Who may.

test('PURGE is for loopback addresses, and not through a proxy that nobody trusts', async () => {
  const target = lab.path();
  versioned(lab, target);
  await lab.store(target);
  const before = (await lab.edge.metrics()).sum('freshet_purges_refused_total');
  for (const fields of [{ 'X-Forwarded-For': '127.0.0.1' }, { Forwarded: 'for=127.0.0.1' }, { Via: '1.1 x' }]) {
    const answer = await lab.get(target, { method: 'PURGE', fields });
    assert.equal(answer.status, 403);
    assert.match(answer.field('proxy-status'), /error=http_request_denied/);
    assert.match(answer.field('cache-status'), /detail=purge-forbidden/);
  }
  expectHit(await lab.get(target));
  assert.equal((await lab.edge.metrics()).sum('freshet_purges_refused_total'), before + 3);
});

test('purge.allow, purge.token, server.trusted_proxies', async (t) => {
  const token = '0123456789abcdef';
  const own = await ownLab(t, { settings: { 'purge.allow': '10.0.0.0/8', 'purge.token': token, 'server.trusted_proxies': '127.0.0.1' } });
  const status = async (fields) => (await own.get('/x', { method: 'PURGE', fields })).status;
  assert.equal(await status({}), 403);
  assert.equal(await status({ 'X-Forwarded-For': '10.1.2.3' }), 200);
  assert.equal(await status({ 'X-Forwarded-For': '192.0.2.1' }), 403);
  assert.equal(await status({ 'X-Forwarded-For': '10.1.2.3, 192.0.2.1' }), 403);
  assert.equal(await status({ Authorization: `Bearer ${token}` }), 200);
  assert.equal(await status({ Authorization: `Bearer ${token}x` }), 403);
  assert.equal(await status({ Authorization: `Basic ${token}` }), 403);
  assert.equal(own.origin.requestsFor('/x').length, 0);
});

test('with no address and no token PURGE is off', async (t) => {
  const own = await ownLab(t, { settings: { 'purge.allow': '' } });
  const answer = await own.get('/x', { method: 'PURGE', fields: { Authorization: 'Bearer ' } });
  assert.equal(answer.status, 405);
  assert.ok(!answer.field('allow').includes('PURGE'));
  assert.equal(own.origin.requestsFor('/x').length, 0);
});

// Every scope, by /v1/invalidate and by the command.

// Four responses on two hosts, two of them tagged; `asked` names those that a purge is to hit.
async function four(where) {
  const dir = where.path('dir');
  const things = {
    page: { target: `${dir}/page`, host: 'one.example' },
    deep: { target: `${dir}/sub/deep`, host: 'one.example' },
    other: { target: `${dir}/other`, host: 'two.example' },
    root: { target: `${dir}.html`, host: 'one.example' },
  };
  const tag = `tag-${dir.slice(1)}`;
  for (const name of Object.keys(things)) {
    const fields = name === 'deep' || name === 'other' ? { 'Surrogate-Key': `x-${tag} ${tag}` } : {};
    things[name].state = versioned(where, things[name].target, fields);
  }
  const ask = (name) => where.get(things[name].target, { host: things[name].host });
  for (const name of Object.keys(things)) {
    await ask(name);
    expectHit(await ask(name));
  }
  const expectOnly = async (...gone) => {
    for (const name of Object.keys(things)) {
      const answer = await ask(name);
      if (gone.includes(name)) expectMiss(answer);
      else expectHit(answer);
    }
  };
  return { dir, tag, expectOnly, ask };
}

const scopes = {
  'a URL': [({ dir }) => ({ urls: [`${scheme}://ONE.example:${overTls ? 443 : 80}${dir}/page`] }), ({ dir }) => [`${scheme}://ONE.example:${overTls ? 443 : 80}${dir}/page`], ['page']],
  'an https URL, for an edge behind a TLS terminator': [({ dir }) => ({ urls: [`https://one.example${dir}/page`] }), ({ dir }) => [`https://one.example${dir}/page`], ['page']],
  'a prefix': [({ dir }) => ({ prefixes: [`${scheme}://one.example${dir}/`] }), ({ dir }) => ['--prefix', `${scheme}://one.example${dir}/`], ['page', 'deep']],
  'a host': [() => ({ hosts: ['Two.example'] }), () => ['--host', 'Two.example'], ['other']],
  'a tag': [({ tag }) => ({ tags: [tag] }), ({ tag }) => ['--tag', tag], ['deep', 'other']],
  'a mix': [({ dir, tag }) => ({ tags: [tag], urls: [`${scheme}://one.example${dir}.html`] }), ({ dir, tag }) => ['--tag', tag, `${scheme}://one.example${dir}.html`], ['deep', 'other', 'root']],
  all: [() => ({ all: true }), () => ['--all'], ['page', 'deep', 'other', 'root']],
};

for (const [name, [order, words, gone]] of Object.entries(scopes)) {
  test(`G4: ${name}: /v1/invalidate`, async () => {
    const things = await four(lab);
    const answer = await invalidate(lab.edge, order(things));
    assert.equal(answer.status, 200, answer.text);
    const reply = JSON.parse(answer.text);
    assert.equal(reply.durable, true);
    assert.equal(reply.strength, 'hard');
    await things.expectOnly(...gone);
  });

  test(`G4: ${name}: freshet purge`, async () => {
    const things = await four(lab);
    assert.match(await purged(lab.edge, ...words(things)), /^purged: .*; sequence \d+ \(durable\)\n$/);
    await things.expectOnly(...gone);
  });

  test(`${name}, softly`, async () => {
    const things = await four(lab);
    assert.match(await purged(lab.edge, '--soft', ...words(things)), /^made stale: /);
    for (const each of ['page', 'deep', 'other', 'root']) {
      const answer = await things.ask(each);
      if (gone.includes(each)) expectRevalidated(answer);
      else expectHit(answer);
    }
  });
}

for (const [field, value] of [['Surrogate-Key', 'a TAG b'], ['Cache-Tag', 'a,TAG, b'], ['Cache-Groups', '"a", "TAG"']]) {
  test(`tags stand in ${field}`, async () => {
    const target = lab.path();
    const tag = `tag${target.slice(1)}`;
    versioned(lab, target, { [field]: value.replace('TAG', tag) });
    await lab.store(target);
    expectHit(await lab.get(target));
    await purged(lab.edge, '--tag', `${tag}x`, '--tag', tag.slice(1), '--tag', tag.toUpperCase());
    expectHit(await lab.get(target));
    await purged(lab.edge, '--tag', tag);
    expectMiss(await lab.get(target));
  });
}

test('a soft purge: stale-while-revalidate serves the stale response meanwhile', async () => {
  const target = lab.path();
  const state = versioned(lab, target, { 'Cache-Control': 'max-age=600, stale-while-revalidate=600' });
  await lab.store(target);
  state.version = 2;
  await lab.get(target, { method: 'PURGE', fields: { 'Soft-Purge': '1' } });
  expectWhole(await lab.get(target), 200, 'version 1');
  await lab.origin.received(target, 2);
});

test('a soft purge: stale-if-error serves the stale response while the origin fails, a hard one does not', async () => {
  const target = lab.path();
  let fails = false;
  lab.origin.on(target, (request, reply) => (fails ? reply.send(503, {}, 'no') : reply.send(200, { 'Cache-Control': 'max-age=600, stale-if-error=600', ETag: '"1"' }, 'yes')));
  await lab.store(target);
  fails = true;
  await lab.get(target, { method: 'PURGE', fields: { 'Soft-Purge': '1' } });
  expectWhole(await lab.get(target), 200, 'yes');
  await lab.get(target, { method: 'PURGE' });
  assert.equal((await lab.get(target)).status, 503);
});

// Against what is under way, and what comes after.

test('G4: a purge during a fill: who waits gets the answer, the next request asks again', async () => {
  const target = lab.path();
  const go = gate();
  let version = 0;
  lab.origin.on(target, async (request, reply) => {
    const mine = ++version;
    if (mine === 1) await go.opened;
    reply.send(200, fresh, `version ${mine}`);
  });
  const first = lab.get(target);
  await lab.origin.received(target, 1);
  await lab.get(target, { method: 'PURGE' });
  const second = await lab.get(target);
  expectMiss(second);
  expectWhole(second, 200, 'version 2');
  go.open();
  expectWhole(await first, 200, 'version 1');
  const third = await lab.get(target);
  expectHit(third);
  expectWhole(third, 200, 'version 2');
});

test('G4: a purge while the body is still coming: it is not stored', async () => {
  const target = lab.path();
  const go = gate();
  let version = 0;
  lab.origin.on(target, async (request, reply) => {
    const mine = ++version;
    reply.head(200, { ...fresh, 'Content-Length': '10' });
    reply.write('01234');
    if (mine === 1) await go.opened;
    reply.write('56789');
  });
  const client = await lab.connect();
  client.request(target);
  const response = await client.responseHead();
  await lab.get(target, { method: 'PURGE' });
  go.open();
  await client.finishBody(response);
  assert.equal(response.complete, true);
  expectMiss(await lab.get(target));
});

test('G4: purged stays purged over an orderly restart and a kill -9 right after the acknowledgement', async (t) => {
  const own = await ownLab(t, { settings: { 'cache.loss_bound': '200ms' } });
  const kinds = {
    '/url': [`${scheme}://purge.example/url`],
    '/dir/prefix': ['--prefix', `${scheme}://purge.example/dir/`],
    '/tag': ['--tag', 'gone'],
    '/kept': [],
  };
  const end = { restart: () => own.edge.stopForRestart(), kill: () => own.edge.kill() };
  for (const how of Object.keys(end)) {
    for (const target of Object.keys(kinds)) {
      versioned(own, target, target === '/tag' ? { 'Surrogate-Key': 'gone' } : {});
      await own.store(target, { host });
    }
    // In order once, so that all of it is on disk.
    await own.edge.stopForRestart();
    await own.edge.spawn();
    for (const target of Object.keys(kinds)) expectHit(await own.get(target, { host }));
    let sequence = 0;
    for (const words of Object.values(kinds)) {
      if (words.length === 0) continue;
      const reply = JSON.parse(await purged(own.edge, '--json', ...words));
      assert.ok(reply.sequence > sequence);
      sequence = reply.sequence;
    }
    await end[how]();
    await own.edge.spawn();
    for (const target of Object.keys(kinds)) {
      const answer = await own.get(target, { host });
      if (target === '/kept') expectHit(answer);
      else expectMiss(answer);
    }
    const next = JSON.parse(await purged(own.edge, '--json', '--tag', 'other'));
    assert.ok(next.sequence > sequence, 'no number is given twice');
  }
});

test('G4: kill -9 after a soft purge: still to be validated', async (t) => {
  const own = await ownLab(t);
  versioned(own, '/soft');
  await own.store('/soft', { host });
  await own.edge.stopForRestart();
  await own.edge.spawn();
  await purged(own.edge, '--soft', `${scheme}://${host}/soft`);
  await own.edge.kill();
  await own.edge.spawn();
  expectRevalidated(await own.get('/soft', { host }));
  expectHit(await own.get('/soft', { host }));
});

// The command.

test('freshet purge: what is wrong with its scopes, exit status 2, and nothing is done', async () => {
  const done = await purge(lab.edge, 'example.com/a', '--prefix', 'http://a/b', '--tag', 'a\nb', 'http://a/#b');
  assert.equal(done.status, 2);
  assert.equal(done.stdout, '');
  assert.deepEqual(done.stderr.trim().split('\n'), [
    'freshet: "example.com/a" has no scheme; write http://... or https://...',
    'freshet: "http://a/#b" has a fragment (#), which is no part of a stored response\'s URL',
    'freshet: "http://a/b" does not end with /',
    'freshet: "a?b" is longer than 1024 bytes, or has a control byte',
  ]);
  assert.equal((await purge(lab.edge)).status, 2);
});

test('freshet purge: no edge there, exit status 1 and where it was looked for', async () => {
  const directory = temporaryDirectory();
  const none = await runToEnd(['purge', '--cache-dir', directory, '--all']);
  assert.equal(none.status, 1);
  assert.match(none.stderr, new RegExp(`cannot reach the edge at ${directory}/admin.sock: No such file or directory; no edge runs`));
  const tcp = await runToEnd(['purge', '--admin', '127.0.0.1:1', '--all']);
  assert.equal(tcp.status, 1);
  assert.match(tcp.stderr, /cannot reach the edge at 127\.0\.0\.1:1: Connection refused/);
});

test('freshet purge after the edge has ended: the socket is there, nobody answers', async (t) => {
  const own = await ownLab(t);
  await own.edge.kill();
  const done = await purge(own.edge, '--all');
  assert.equal(done.status, 1);
  assert.match(done.stderr, /Connection refused; the edge that made it has ended/);
  await own.edge.spawn();
});

// An edge whose disk fails as often as it is told to, as the admin plane shows it.
async function edgeThatFails(t, times) {
  const directory = temporaryDirectory();
  let asked = 0;
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      const durable = ++asked > times;
      response.shouldKeepAlive = false;
      const body = JSON.stringify(durable ? { sequence: asked, durable } : { sequence: asked, durable, error: 'applied, not durable: EIO' });
      response.writeHead(durable ? 200 : 503, { 'Content-Length': Buffer.byteLength(body) });
      response.end(body);
    });
  });
  await new Promise((resolve) => { server.listen(path.join(directory, 'admin.sock'), resolve); });
  t.after(() => server.close());
  return directory;
}

test('freshet purge: applied but not on disk is exit status 3; --wait asks until it is', async (t) => {
  const directory = await edgeThatFails(t, 2);
  const once = await runToEnd(['purge', '--cache-dir', directory, '--all']);
  assert.deepEqual([once.status, once.stdout], [3, 'purged: everything; sequence 1 (applied, not durable: EIO)\n']);
  const waited = await runToEnd(['purge', '--cache-dir', directory, '--all', '--wait']);
  assert.deepEqual([waited.status, waited.stdout], [0, 'purged: everything; sequence 3 (durable)\n']);
});

// The admin plane on TCP.

async function labWithAdmin(t, settings = {}) {
  const own = await ownLab(t, { flags: ['--admin', '127.0.0.1:0'], settings });
  const line = await own.edge.logLine(/admin plane on/);
  return { own, port: Number(/:(\d+)$/.exec(line.trim())[1]) };
}

test('/v1/invalidate on TCP: not for web pages', async (t) => {
  const { own, port } = await labWithAdmin(t);
  const all = { all: true };
  const ask = async (headers) => (await invalidate(own.edge, all, { port, headers })).status;
  assert.equal(await ask({}), 200);
  assert.equal(await ask({ Host: 'localhost' }), 200);
  assert.equal(await ask({ Host: 'rebound.example' }), 403);
  assert.equal(await ask({ Origin: 'https://evil.example' }), 403);
  assert.equal(await ask({ Origin: 'null' }), 403);
  assert.equal(await ask({ 'Content-Type': 'text/plain' }), 415);
  assert.equal(await ask({ 'Content-Type': 'application/x-www-form-urlencoded' }), 415);
});

test('admin.token: without it 401, with it all; freshet purge takes it from the environment', async (t) => {
  const token = 'abcdefghijklmnop';
  const { own, port } = await labWithAdmin(t, { 'admin.token': token });
  assert.equal((await invalidate(own.edge, { all: true }, { port })).status, 401);
  assert.equal((await invalidate(own.edge, { all: true }, { port, headers: { Authorization: `Bearer ${token}` } })).status, 200);
  assert.equal((await invalidate(own.edge, { all: true })).status, 200, 'the unix socket asks for none');
  const admin = ['purge', '--admin', `127.0.0.1:${port}`, '--all'];
  const refused = await runToEnd(admin);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /refuses \(401\).*FRESHET_ADMIN_TOKEN/);
  assert.equal((await runToEnd(admin, { env: { FRESHET_ADMIN_TOKEN: token } })).status, 0);
  assert.equal((await runToEnd([...admin, '--token', token])).status, 0);
});

test('an admin plane that others reach needs a token to start', async () => {
  const done = await runToEnd(['run', '--origin', 'http://127.0.0.1:1', '--listen', '127.0.0.1:0', '--cache-dir', temporaryDirectory(), '--admin', '0.0.0.0:0']);
  assert.equal(done.status, 2);
  assert.match(done.stderr, /admin\.token: is needed, since admin\.listen, 0\.0\.0\.0:0, is not a loopback address/);
});

test('/v1/invalidate: hostile content is refused whole, with all that is wrong', async () => {
  const target = lab.path();
  versioned(lab, target);
  await lab.store(target);
  const url = `${lab.edge.url}${target}`;
  const errors = async (order) => {
    const answer = await invalidate(lab.edge, order);
    assert.equal(answer.status, 400, answer.text);
    return JSON.parse(answer.text).errors.map((e) => e.member ?? '');
  };
  assert.deepEqual(await errors(''), ['']);
  assert.deepEqual(await errors('{"all":true'), ['']);
  assert.deepEqual(await errors('['.repeat(900_000)), ['']);
  assert.deepEqual(await errors({}), ['']);
  assert.deepEqual(await errors({ urls: [url, 'x', url, 7] }), ['urls[3]']);
  assert.deepEqual(await errors({ urls: [url, 'x', url, ''], tags: [''] }), ['urls[1]', 'urls[3]', 'tags[0]']);
  assert.deepEqual(await errors({ urls: [url], everything: true }), ['everything']);
  assert.deepEqual(await errors(`{"urls":["${url}"],"urls":[]}`), ['urls']);
  assert.deepEqual(await errors({ tags: Array(10_001).fill('t') }), ['']);
  assert.equal((await invalidate(lab.edge, { tags: ['x'.repeat(1_100_000)] })).status, 413);
  assert.equal((await invalidate(lab.edge, '', { method: 'GET' })).status, 405);
  expectHit(await lab.get(target));
  assert.equal((await invalidate(lab.edge, { urls: Array(10_000).fill(url) })).status, 200);
  expectMiss(await lab.get(target));
});

test('G4: PURGE after the cache directory was removed is in effect and says that it is not durable', async (t) => {
  const own = await ownLab(t);
  const target = '/x';
  versioned(own, target);
  await own.store(target);
  fs.rmSync(own.edge.cacheDir, { recursive: true, force: true });
  const answer = await own.get(target, { method: 'PURGE' });
  assert.equal(answer.status, 503);
  assert.equal(lines(answer).durable, false);
  await own.edge.logLine(/invalidations were removed while they were in use; restart to begin anew/);
  expectForwarded(await own.get(target));
  expectHit(await own.get(target));
});

test('G10: an order that has begun to arrive is done and answered before the edge stops', async (t) => {
  const own = await ownLab(t);
  const body = JSON.stringify({ all: true });
  const socket = net.connect(path.join(own.edge.cacheDir, 'admin.sock'));
  let answer = '';
  const whole = new Promise((resolve, reject) => {
    socket.setEncoding('utf8').on('data', (text) => { answer += text; }).on('end', resolve).on('error', reject);
  });
  socket.write(`POST /v1/invalidate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`);
  // The edge has the head.
  await new Promise((resolve) => { socket.once('data', resolve); });
  own.edge.child.kill('SIGTERM');
  await own.edge.logLine(/stopping/);
  assert.equal((await own.edge.admin('/readyz')).status, 503, 'it goes on while others are answered');
  socket.end(body);
  await whole;
  assert.match(answer, /HTTP\/1\.1 200 OK/);
  assert.match(answer, /"durable":true/);
  assert.equal((await own.edge.exited).status, 0);
});
