// Entity tags where the origin gives none: made from the content, known to clients and to the store, never to the origin; and content that
// the origin sends once more, which is compared as it comes and not written again.
//
// A response is stale from the beginning by its Age. A client that accepts stale ones gets what is stored, with the tag.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { expectBodyless, expectHit, expectWhole } from '../support/expect.mjs';
import { cacheStatus } from '../support/message.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { eventually, gate } from '../support/waiting.mjs';

const stale = { 'Cache-Control': 'max-age=60', Age: '100', 'Content-Type': 'text/plain' };
const fresh = { 'Cache-Control': 'max-age=60', 'Content-Type': 'text/plain' };
const ourTag = /^"fr1-[0-9a-f]{32}"$/;

// What the origin's responses look like on the wire.
const framings = {
  'of a stated length': (reply, fields, body) => reply.send(200, fields, body),
  chunked: (reply, fields, body) => {
    reply.head(200, { ...fields, Date: new Date().toUTCString(), 'Transfer-Encoding': 'chunked' });
    for (let at = 0; at < body.length; at += 60_000) reply.chunk(body.subarray(at, at + 60_000));
    reply.lastChunk();
  },
};

async function written(lab) {
  const metrics = await lab.edge.metrics();
  return ['stored', 'disk_writes', 'disk_write_bytes', 'disk_write_backlog_bytes'].map((name) => metrics.sum(`freshet_${name}${name.endsWith('log_bytes') ? '' : '_total'}`));
}
const equal = async (lab) => (await lab.edge.metrics()).sum('freshet_content_equal_total');

// The tag of what is stored.
async function storedTag(lab, path) {
  const response = await lab.get(path, { fields: { 'Cache-Control': 'max-stale' } });
  expectHit(response);
  assert.match(response.field('etag') ?? '', ourTag);
  return response.field('etag');
}

for (const [tier, settings, size] of [['memory before disk', {}, 5_000], ['memory before disk', {}, 300_000], ['disk alone', { 'cache.memory': '1MiB' }, 700_000]]) {
  describe(`${tier}, ${size} bytes`, () => {
    const lab = sharedLab({ settings });
    for (const [framing, send] of Object.entries(framings)) {
      test(`${framing}: 100 expiries of an unchanged response cost no byte of the body, at the client or in the store; one byte changed is a new tag`, async () => {
        const path = lab.path();
        const body = Buffer.alloc(size, 'content ');
        lab.origin.on(path, (_, reply) => send(reply, stale, body));
        await lab.store(path);
        await eventually(async () => (await written(lab)).at(-1) === 0, 'the disk to be done');
        const tag = await storedTag(lab, path);
        const before = await written(lab);
        const equalBefore = await equal(lab);
        const client = await lab.connect();
        for (let i = 0; i < 100; ++i) {
          const response = await client.request(path, { fields: { 'If-None-Match': tag } }).response();
          expectBodyless(response, 304);
          assert.equal(response.field('etag'), tag);
          assert.equal(cacheStatus(response)['fwd-status'], '200');
        }
        assert.equal(lab.origin.requestsFor(path).length, 101);
        for (const request of lab.origin.requestsFor(path)) assert.equal(request.has('if-none-match'), false);
        assert.equal(await equal(lab), equalBefore + 100);
        await eventually(async () => (await written(lab)).at(-1) === 0, 'the heads to be written');
        assert.deepEqual(await written(lab), before);

        body[size - 1] = 'X'.charCodeAt(0);
        const changed = await client.request(path, { fields: { 'If-None-Match': tag } }).response();
        expectWhole(changed, 200, body);
        let now;
        await eventually(async () => {
          now = await storedTag(lab, path);
          return now !== tag;
        }, 'the new tag');
        expectBodyless(await client.request(path, { fields: { 'If-None-Match': `${tag}, ${now}` } }).response(), 304);
      });
    }
  });
}

describe('one edge', () => {
  const lab = sharedLab();

  test('small content of a stated length has its tag from the first answer on, and conditions are evaluated against it', async () => {
    const path = lab.path();
    lab.origin.on(path, { fields: fresh, body: 'content' });
    const first = await lab.get(path);
    expectWhole(first, 200, 'content');
    assert.match(first.field('etag'), ourTag);
    const hit = await lab.get(path, { fields: { 'If-None-Match': first.field('etag') } });
    expectBodyless(hit, 304);
    expectHit(hit);
    const other = lab.path();
    lab.origin.on(other, { fields: fresh, body: 'content' });
    expectBodyless(await lab.get(other, { fields: { 'If-None-Match': first.field('etag') } }), 304);
  });

  test('content of an unknown length is streamed, without a tag; the next answer has it', async () => {
    const path = lab.path();
    const { opened, open } = gate();
    lab.origin.on(path, async (_, reply) => {
      reply.head(200, { ...fresh, 'Transfer-Encoding': 'chunked' }).chunk('first');
      await opened;
      reply.chunk('last').lastChunk();
    });
    const client = await lab.connect();
    const head = await client.request(path).responseHead();
    await client.bodyUntil(head, 'first');
    assert.equal(head.has('etag'), false);
    open();
    expectWhole(await client.finishBody(head), 200, 'firstlast');
    assert.match((await lab.get(path)).field('etag'), ourTag);
  });

  test('a small body of a stated length that comes slowly is streamed too', async () => {
    const path = lab.path();
    const { opened, open } = gate();
    lab.origin.on(path, async (_, reply) => {
      reply.head(200, { ...fresh, 'Content-Length': '9' }).write('first');
      await opened;
      reply.write('last');
    });
    const client = await lab.connect();
    const head = await client.request(path).responseHead();
    await client.bodyUntil(head, 'first');
    open();
    expectWhole(await client.finishBody(head), 200, 'firstlast');
  });

  test('Content-Type and Content-Encoding belong to the tag', async () => {
    const tags = new Set();
    for (const fields of [{}, { 'Content-Type': 'text/html' }, { 'Content-Encoding': 'x' }, { 'Content-Type': 'text/html' }]) {
      const path = lab.path();
      lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60', ...fields }, body: 'content' });
      tags.add((await lab.get(path)).field('etag'));
    }
    assert.equal(tags.size, 3);
  });

  test('a Last-Modified of the origin is what it is asked with; its 304 keeps the tag', async () => {
    const path = lab.path();
    const lastModified = 'Mon, 01 Jan 2024 00:00:00 GMT';
    lab.origin.on(path, (request, reply) => {
      if (request.field('if-modified-since') === lastModified) reply.send(304, stale);
      else reply.send(200, { ...stale, 'Last-Modified': lastModified }, 'content');
    });
    const tag = (await lab.get(path)).field('etag');
    assert.match(tag, ourTag);
    const response = await lab.get(path, { fields: { 'If-None-Match': tag } });
    expectBodyless(response, 304);
    assert.equal(response.field('etag'), tag);
    assert.deepEqual(lab.origin.requestsFor(path).map((r) => [r.field('if-none-match'), r.field('if-modified-since')]),
      [[undefined, undefined], [undefined, lastModified]]);
  });

  test('what is not stored has no tag of ours', async () => {
    const path = lab.path();
    lab.origin.on(path, { fields: { 'Cache-Control': 'no-store' }, body: 'content' });
    assert.equal((await lab.get(path)).has('etag'), false);
  });

  test('G5: 100 clients with the tag on an expired response: one origin request, 100 times 304; who has no tag is streamed meanwhile', async () => {
    const path = lab.path();
    const { opened, open } = gate();
    lab.origin.on(path, async (_, reply) => {
      reply.head(200, { ...(lab.origin.requestsFor(path).length === 1 ? stale : fresh), 'Transfer-Encoding': 'chunked' }).chunk('first');
      if (lab.origin.requestsFor(path).length > 1) await opened;
      reply.chunk('last').lastChunk();
    });
    await lab.store(path);
    const tag = await storedTag(lab, path);
    const clients = await Promise.all(Array.from({ length: 100 }, () => lab.connect()));
    for (const client of clients) client.request(path, { fields: { 'If-None-Match': tag } });
    await lab.origin.received(path, 2);
    const plain = await lab.connect();
    const head = await plain.request(path).responseHead();
    await plain.bodyUntil(head, 'first');
    open();
    for (const response of await Promise.all(clients.map((client) => client.response()))) expectBodyless(response, 304);
    expectWhole(await plain.finishBody(head), 200, 'firstlast');
    assert.equal(lab.origin.requestsFor(path).length, 2);
    expectHit(await lab.get(path));
  });

  test('who has the tag of other content gets the new content from its first byte, at the first difference', async () => {
    const path = lab.path();
    const { opened, open } = gate();
    lab.origin.on(path, async (_, reply) => {
      const again = lab.origin.requestsFor(path).length > 1;
      reply.head(200, { ...stale, 'Transfer-Encoding': 'chunked' }).chunk('same ').chunk(again ? 'NEW' : 'old');
      if (again) await opened;
      reply.chunk(' end').lastChunk();
    });
    await lab.store(path);
    const tag = await storedTag(lab, path);
    const client = await lab.connect();
    const head = await client.request(path, { fields: { 'If-None-Match': tag } }).responseHead();
    await client.bodyUntil(head, 'same NEW');
    open();
    expectWhole(await client.finishBody(head), 200, 'same NEW end');
  });

  test('G4: a POST while the same content comes once more: nothing of it stays', async () => {
    const path = lab.path();
    const { opened, open } = gate();
    lab.origin.on(path, async (request, reply) => {
      await request.whole();
      if (request.method === 'POST') return reply.send(200, {}, 'done');
      const gets = lab.origin.requestsFor(path).filter((r) => r.method === 'GET').length;
      reply.head(200, { ...(gets === 1 ? stale : fresh), 'Transfer-Encoding': 'chunked' }).chunk('first');
      if (gets === 2) await opened;
      return reply.chunk('last').lastChunk();
    });
    await lab.store(path);
    const tag = await storedTag(lab, path);
    const client = await lab.connect();
    client.request(path, { fields: { 'If-None-Match': tag } });
    await lab.origin.received(path, 2);
    await lab.get(path, { method: 'POST', body: 'x' });
    open();
    expectBodyless(await client.response(), 304);
    await lab.get(path);
    assert.equal(lab.origin.requestsFor(path).filter((r) => r.method === 'GET').length, 3);
  });

  test('the origin breaks off while its content is compared: the stored response stays good', async () => {
    const path = lab.path();
    lab.origin.on(path, (_, reply) => {
      const n = lab.origin.requestsFor(path).length;
      reply.head(200, { ...stale, 'Transfer-Encoding': 'chunked' }).chunk('first');
      if (n === 2) return reply.reset();
      return reply.chunk('last').lastChunk();
    });
    await lab.store(path);
    const tag = await storedTag(lab, path);
    const during = await lab.get(path, { fields: { 'If-None-Match': tag } });
    assert.ok([304, 502].includes(during.status), during.head);
    assert.equal(await storedTag(lab, path), tag);
    expectBodyless(await lab.get(path, { fields: { 'If-None-Match': tag } }), 304);
  });
});

test('tags survive a restart', async (t) => {
  const lab = await ownLab(t, { settings: { 'cache.loss_bound': '200ms' } });
  const path = lab.path();
  const host = 'restart.example';
  lab.origin.on(path, { fields: stale, body: 'content' });
  const tag = (await lab.get(path, { host })).field('etag');
  assert.match(tag, ourTag);
  await lab.edge.stopForRestart();
  await lab.edge.spawn();
  expectBodyless(await lab.get(path, { host, fields: { 'If-None-Match': tag } }), 304);
  assert.equal(lab.origin.requestsFor(path)[1].has('if-none-match'), false);
});
