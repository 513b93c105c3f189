// Collapsed requests (RFC 9111 section 4; G5, G12): however many clients ask at once, the origin is asked once, and nobody gets what is not theirs.
//
// The edge runs one worker where a test needs to know that a request has arrived: a request sent before another one that has been answered is at the edge.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab({ workers: 1, settings: { 'origin.max_concurrent': '1000' } });
const fresh = { 'Cache-Control': 'max-age=60' };
const many = 200;

// Everything that was sent so far is at the edge when this resolves.
async function arrived() {
  lab.origin.on('/sentinel', { fields: { 'Cache-Control': 'no-store' }, body: 's' });
  for (let i = 0; i < 2; ++i) await lab.get('/sentinel');
}

const connectMany = (n, where = lab) => Promise.all(Array.from({ length: n }, () => where.connect()));

async function closeAll(clients) {
  for (const client of clients) client.close();
}

for (const workers of [1, 2]) {
  test(`G5: ${many} clients at once on a cold URL, ${workers} worker(s): one origin request, all whole`, async (t) => {
    const own = await ownLab(t, { workers });
    const { opened, open } = gate();
    const body = Buffer.alloc(100_000, 'c');
    own.origin.on('/', async (_, reply) => { await opened; reply.send(200, fresh, body); });
    const clients = await connectMany(many, own);
    for (const client of clients) client.request('/');
    await own.origin.received('/');
    open();
    for (const response of await Promise.all(clients.map((c) => c.response()))) expectWhole(response, 200, body);
    assert.equal(own.origin.requestsFor('/').length, 1);
  });
}

test('G5: the body is streamed to all of them while it arrives', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { ...fresh, 'Content-Length': '9' }).write('first');
    await opened;
    reply.write('last');
  });
  const clients = await connectMany(20);
  for (const client of clients) client.request(path);
  const heads = await Promise.all(clients.map(async (c) => c.bodyUntil(await c.responseHead(), 'first')));
  open();
  const whole = await Promise.all(clients.map((c, i) => c.finishBody(heads[i])));
  for (const response of whole) expectWhole(response, 200, 'firstlast');
  assert.equal(lab.origin.requestsFor(path).length, 1);
  await closeAll(clients);
});

test('who comes while the body is half there gets all of it, from the start', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { ...fresh, 'Transfer-Encoding': 'chunked' }).chunk('first');
    await opened;
    reply.chunk('last').lastChunk();
  });
  const [one, two] = await connectMany(2);
  const head = await one.request(path).responseHead();
  await one.bodyUntil(head, 'first');
  const second = await two.request(path).responseHead();
  await two.bodyUntil(second, 'first');
  open();
  expectWhole(await one.finishBody(head), 200, 'firstlast');
  expectWhole(await two.finishBody(second), 200, 'firstlast');
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test(`G5: ${many} clients at once on an expired URL: one conditional request`, async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (request, reply) => {
    if (!request.has('if-none-match')) return reply.send(200, { 'Cache-Control': 'max-age=60', Age: '100', ETag: '"v1"' }, 'body');
    await opened;
    return reply.send(304, { ...fresh, ETag: '"v1"' });
  });
  await lab.store(path);
  const clients = await connectMany(many);
  for (const client of clients) client.request(path);
  await lab.origin.received(path, 2);
  open();
  for (const response of await Promise.all(clients.map((c) => c.response()))) expectWhole(response, 200, 'body');
  assert.equal(lab.origin.requestsFor(path).length, 2);
  await closeAll(clients);
});

test(`G5: ${many} clients at once on a no-store URL: ${many} origin requests, side by side`, async () => {
  const path = lab.path();
  const first = gate();
  const all = gate();
  let n = 0;
  lab.origin.on(path, async (_, reply) => {
    const mine = ++n;
    await (mine === 1 ? first.opened : all.opened);
    reply.send(200, { 'Cache-Control': 'no-store' }, `answer ${mine}`);
  });
  const clients = await connectMany(many);
  for (const client of clients) client.request(path);
  await lab.origin.received(path);
  await arrived();
  first.open();
  // All of them are at the origin before any but the first is answered.
  await lab.origin.received(path, many);
  all.open();
  const bodies = (await Promise.all(clients.map((c) => c.response()))).map((response) => {
    assert.equal(response.status, 200);
    return response.text;
  });
  assert.equal(new Set(bodies).size, many, 'each client has an answer of its own');
  await closeAll(clients);
});

test('an unstorable answer is remembered: later clients do not wait for each other', async () => {
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Cache-Control': 'no-store' }, body: 'x' });
  await lab.get(path);
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => { await opened; reply.send(200, { 'Cache-Control': 'no-store' }, 'x'); });
  const clients = await connectMany(10);
  for (const client of clients) client.request(path);
  await lab.origin.received(path, 11);
  open();
  for (const client of clients) expectWhole(await client.response(), 200, 'x');
});

test('G12: two clients with different cookies at the same time, on a page with an ETag and no freshness: each gets its own', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (request, reply) => {
    await opened;
    reply.send(200, { ETag: '"same"' }, `page of ${request.field('cookie')}`);
  });
  const [one, two] = await connectMany(2);
  one.request(path, { fields: { Cookie: 'user=one' } });
  await lab.origin.received(path);
  two.request(path, { fields: { Cookie: 'user=two' } });
  await arrived();
  open();
  expectWhole(await one.response(), 200, 'page of user=one');
  expectWhole(await two.response(), 200, 'page of user=two');
});

test('G12: a page with an ETag and no freshness that a cookie got is not given to another cookie, nor to none, without asking', async () => {
  const path = lab.path();
  lab.origin.on(path, (request, reply) => reply.send(200, { ETag: `"${request.field('cookie')}"` }, `page of ${request.field('cookie')}`));
  for (const cookie of ['user=one', 'user=two', 'user=one']) expectWhole(await lab.get(path, { fields: { Cookie: cookie } }), 200, `page of ${cookie}`);
  expectWhole(await lab.get(path), 200, 'page of undefined');
});

test('G12: freshness that the origin stated is shared among cookies', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => { await opened; reply.send(200, fresh, 'for all'); });
  const [one, two] = await connectMany(2);
  one.request(path, { fields: { Cookie: 'user=one' } });
  await lab.origin.received(path);
  two.request(path, { fields: { Cookie: 'user=two' } });
  await arrived();
  open();
  for (const client of [one, two]) expectWhole(await client.response(), 200, 'for all');
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('G12: an answer that must be validated for each use is shared only with who had arrived before its origin request left', async () => {
  const path = lab.path();
  const gates = [gate(), gate(), gate(), gate()];
  let n = 0;
  lab.origin.on(path, async (_, reply) => {
    const mine = n++;
    await gates[mine].opened;
    reply.send(200, { 'Cache-Control': 'no-cache', ETag: `"${mine}"` }, `answer ${mine}`);
  });
  const [one, two, three] = await connectMany(3);
  one.request(path);
  await lab.origin.received(path);
  two.request(path);
  three.request(path);
  await arrived();
  gates[0].open();
  expectWhole(await one.response(), 200, 'answer 0');
  await lab.origin.received(path, 2);
  for (const g of gates) g.open();
  for (const response of await Promise.all([two.response(), three.response()])) {
    assert.equal(response.status, 200);
    assert.notEqual(response.text, 'answer 0', 'it came after that request had left');
  }
});

test('the client that started leaves: the others get their answer from the same origin request', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => { await opened; reply.send(200, fresh, 'body'); });
  const [one, two] = await connectMany(2);
  one.request(path);
  await lab.origin.received(path);
  two.request(path);
  await arrived();
  one.close();
  await arrived();
  open();
  expectWhole(await two.response(), 200, 'body');
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('the client that started leaves in the middle of the body: the others get the whole body', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { ...fresh, 'Content-Length': '9' }).write('first');
    await opened;
    reply.write('last');
  });
  const [one, two] = await connectMany(2);
  await one.bodyUntil(await one.request(path).responseHead(), 'first');
  const head = await two.request(path).responseHead();
  one.reset();
  await arrived();
  open();
  expectWhole(await two.finishBody(head), 200, 'firstlast');
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('all who waited have left: the next client gets a whole answer', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { ...fresh, 'Content-Length': '9' }).write('first');
    await opened;
    reply.write('last');
  });
  const clients = await connectMany(3);
  for (const client of clients) await client.bodyUntil(await client.request(path).responseHead(), 'first');
  await closeAll(clients);
  await arrived();
  open();
  expectWhole(await lab.get(path), 200, 'firstlast');
  expectWhole(await lab.get(path), 200, 'firstlast');
});

test('waiters whose selecting fields differ regroup: one origin request for each variant', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (request, reply) => {
    await opened;
    reply.send(200, { ...fresh, Vary: 'X-V' }, `variant ${request.field('x-v')}`);
  });
  const clients = await connectMany(60);
  clients[0].request(path, { fields: { 'X-V': '0' } });
  await lab.origin.received(path);
  clients.forEach((client, i) => i > 0 && client.request(path, { fields: { 'X-V': String(i % 3) } }));
  await arrived();
  open();
  const responses = await Promise.all(clients.map((c) => c.response()));
  responses.forEach((response, i) => expectWhole(response, 200, `variant ${i % 3}`));
  assert.equal(lab.origin.requestsFor(path).length, 3);
  await closeAll(clients);
});

test('requests with Authorization are not joined', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (request, reply) => { await opened; reply.send(200, fresh, `for ${request.field('authorization')}`); });
  const clients = await connectMany(3);
  clients.forEach((client, i) => client.request(path, { fields: { Authorization: `Bearer ${i}` } }));
  await lab.origin.received(path, 3);
  open();
  for (const [i, client] of clients.entries()) expectWhole(await client.response(), 200, `for Bearer ${i}`);
});

test('requests with a body and unsafe methods are not joined', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (request, reply) => { await request.whole(); await opened; reply.send(200, fresh, `echo ${request.body}`); });
  const clients = await connectMany(4);
  clients.forEach((client, i) => client.request(path, { method: i < 2 ? 'POST' : 'GET', body: String(i) }));
  await lab.origin.received(path, 4);
  open();
  for (const [i, client] of clients.entries()) expectWhole(await client.response(), 200, `echo ${i}`);
});

test('the origin fails: all who waited get an error, and the next client asks again', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  let failing = true;
  lab.origin.on(path, async (_, reply) => {
    if (!failing) return reply.send(200, fresh, 'good');
    await opened;
    return reply.reset();
  });
  const clients = await connectMany(20);
  for (const client of clients) client.request(path);
  await lab.origin.received(path);
  await arrived();
  // A GET may be tried again on another connection; it fails again.
  open();
  for (const response of await Promise.all(clients.map((c) => c.response()))) assert.equal(response.status, 502);
  failing = false;
  expectWhole(await lab.get(path), 200, 'good');
  expectHit(await lab.get(path));
  await closeAll(clients);
});

test('waiters get their own preconditions evaluated: 304 for who has it, 200 for who has not', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (request, reply) => {
    if (lab.origin.requestsFor(path).length === 1) return reply.send(200, { 'Cache-Control': 'max-age=60', Age: '100', ETag: '"v1"' }, 'body');
    await opened;
    return reply.send(304, { ...fresh, ETag: '"v1"' });
  });
  await lab.store(path);
  const [one, two, three] = await connectMany(3);
  one.request(path);
  two.request(path, { fields: { 'If-None-Match': '"v1"' } });
  three.request(path, { fields: { 'If-None-Match': '"other"' } });
  await lab.origin.received(path, 2);
  await arrived();
  open();
  expectWhole(await one.response(), 200, 'body');
  assert.equal((await two.response()).status, 304);
  expectWhole(await three.response(), 200, 'body');
  assert.equal(lab.origin.requestsFor(path).length, 2);
});

test('a stop that is cut short while clients of both workers wait for one flight ends in order', async (t) => {
  const own = await ownLab(t, { workers: 2, settings: { 'server.drain_timeout': '1h' } });
  const { opened, open } = gate();
  own.origin.on('/', async (_, reply) => { await opened; reply.send(200, {}, 'late'); });
  const clients = await Promise.all(Array.from({ length: 40 }, () => own.connect()));
  for (const client of clients) client.request('/');
  await own.edge.metricsWhen((m) => m.sum('freshet_waiters_open') === 40, '40 waiters');
  own.edge.child.kill('SIGTERM');
  await own.edge.logLine(/stopping/);
  await own.edge.stopForRestart();
  open();
  await own.edge.spawn();
});

for (const [what, status] of [['a new answer that may not be stored', 200], ['an answer that it is gone', 410]]) {
  test(`waiters with a stale response get ${what}, not the stale one`, async () => {
    const path = lab.path();
    const { opened, open } = gate();
    lab.origin.on(path, async (_, reply) => {
      if (lab.origin.requestsFor(path).length === 1) return reply.send(200, { 'Cache-Control': 'max-age=60, stale-if-error=600', Age: '100', ETag: '"v1"' }, 'old');
      await opened;
      return reply.send(status, { 'Cache-Control': 'no-store' }, 'new');
    });
    await lab.store(path);
    const clients = await connectMany(5);
    for (const client of clients) client.request(path);
    await lab.origin.received(path, 2);
    await arrived();
    open();
    for (const response of await Promise.all(clients.map((c) => c.response()))) expectWhole(response, status, 'new');
    await closeAll(clients);
  });
}
