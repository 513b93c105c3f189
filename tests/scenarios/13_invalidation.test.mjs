// Unsafe methods invalidate what is stored (RFC 9111 section 4.4), before their answer reaches the client (G4).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { sharedLab } from '../support/lab.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const fresh = { 'Cache-Control': 'max-age=60' };

// GETs are answered with a version that each unsafe request moves; `answer` says what unsafe requests get.
function versioned(path, answer = (request, reply) => reply.send(200, {}, 'done')) {
  let version = 1;
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    if (request.method === 'GET') return reply.send(200, fresh, `version ${version}`);
    ++version;
    return answer(request, reply);
  });
}

for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'UNKNOWN']) {
  test(`G4: ${method} invalidates its target`, async () => {
    const path = lab.path();
    versioned(path);
    await lab.store(path);
    expectHit(await lab.get(path));
    assert.equal((await lab.get(path, { method, body: 'x' })).status, 200);
    const after = await lab.get(path);
    expectForwarded(after);
    expectWhole(after, 200, 'version 2');
    expectHit(await lab.get(path));
  });
}

test('every variant of the target is invalidated', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    reply.send(200, { ...fresh, Vary: 'X-V' }, request.field('x-v') ?? '');
  });
  const ask = (v) => lab.get(path, { fields: { 'X-V': v } });
  for (const v of ['a', 'b']) await ask(v);
  for (const v of ['a', 'b']) expectHit(await ask(v));
  await lab.get(path, { method: 'POST', body: '' });
  for (const v of ['a', 'b']) expectForwarded(await ask(v));
});

for (const field of ['Location', 'Content-Location']) {
  for (const form of ['path', 'absolute']) {
    test(`${field} (${form}) of the answer is invalidated as well, on the same origin`, async () => {
      const target = lab.path('target');
      const other = lab.path('other');
      versioned(other);
      versioned(target, (_, reply) => reply.send(201, { [field]: form === 'path' ? other : `${lab.edge.url}${other}` }, ''));
      await lab.store(other);
      expectHit(await lab.get(other));
      await lab.get(target, { method: 'POST', body: 'x' });
      expectForwarded(await lab.get(other));
    });
  }

  test(`${field} on another host invalidates nothing there`, async () => {
    const target = lab.path('target');
    const other = lab.path('other');
    versioned(other);
    versioned(target, (_, reply) => reply.send(201, { [field]: `${lab.edge.scheme}://other.example${other}` }, ''));
    await lab.store(other, { host: 'other.example' });
    await lab.get(target, { method: 'POST', body: 'x' });
    expectHit(await lab.get(other, { host: 'other.example' }));
  });
}

test('a redirect that answers a POST invalidates', async () => {
  const path = lab.path();
  versioned(path, (_, reply) => reply.send(303, { Location: '/elsewhere' }, ''));
  await lab.store(path);
  await lab.get(path, { method: 'POST', body: 'x' });
  expectForwarded(await lab.get(path));
});

test('safe methods invalidate nothing', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => reply.send(200, fresh, request.method === 'HEAD' ? 'GET' : request.method));
  await lab.store(path);
  for (const method of ['HEAD', 'OPTIONS']) await lab.get(path, { method });
  expectHit(await lab.get(path));
});

test('a POST to one URL leaves its neighbours stored', async () => {
  const one = lab.path('one');
  const two = lab.path('two');
  versioned(one);
  versioned(two);
  await lab.store(one);
  await lab.store(two);
  await lab.store(`${two}?q`);
  await lab.get(one, { method: 'POST', body: 'x' });
  expectHit(await lab.get(two));
  expectHit(await lab.get(`${two}?q`));
});

test('G4: a GET in flight when the POST is answered does not leave its old answer behind', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  let version = 1;
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    if (request.method === 'POST') { version = 2; return reply.send(200, {}, 'done'); }
    if (version === 2) return reply.send(200, fresh, 'version 2');
    await opened;
    return reply.send(200, fresh, 'version 1');
  });
  const early = await lab.connect();
  early.request(path);
  await lab.origin.received(path);
  assert.equal((await lab.get(path, { method: 'POST', body: 'x' })).status, 200);
  open();
  assert.equal((await early.response()).status, 200);
  expectWhole(await lab.get(path), 200, 'version 2');
});

// Of a POST whose answer is the representation of the target URI; `fields` are the answer's.
async function posted(fields) {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    if (request.method === 'POST') reply.send(200, typeof fields === 'function' ? fields(path) : fields, 'from the POST');
    else reply.send(200, fresh, 'from the GET');
  });
  await lab.store(path);
  expectWhole(await lab.get(path, { method: 'POST', body: 'x' }), 200, 'from the POST');
  return lab.get(path);
}

test('RFC 9110 section 9.3.3: an answer to POST that says it is the target\'s, with explicit freshness, serves the next GET', async () => {
  const get = await posted((path) => ({ ...fresh, 'Content-Location': path }));
  expectHit(get);
  expectWhole(get, 200, 'from the POST');
});

test('an answer to POST without explicit freshness or of another URI is not stored', async () => {
  for (const fields of [(path) => ({ 'Content-Location': path, ETag: '"x"' }), () => ({ ...fresh, 'Content-Location': '/other' }), () => fresh]) {
    const get = await posted(fields);
    expectForwarded(get);
    expectWhole(get, 200, 'from the GET');
  }
});
