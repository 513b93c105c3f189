// The client's conditions (RFC 9110 section 13, RFC 9111 section 4.3.2): which are answered here, which go to the origin.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectBodyless, expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { overHttp2 } from '../support/protocol.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const at = (seconds) => new Date(Date.now() + 1000 * seconds).toUTCString();
const minute = { 'Cache-Control': 'max-age=60' };
const modified = 'Mon, 01 Jan 2024 00:00:00 GMT';
const earlier = 'Sun, 31 Dec 2023 23:59:59 GMT';
const later = 'Tue, 02 Jan 2024 00:00:00 GMT';

// A path whose fresh response is stored; answers with the status of a request with these fields.
async function storedWith(fields, { status = 200, body = '0123456789' } = {}) {
  const path = lab.path();
  lab.origin.on(path, { status, fields: { ...minute, ...fields }, body });
  await lab.store(path);
  return {
    path,
    async ask(conditions, method = 'GET') {
      const response = await lab.get(path, { method, fields: conditions });
      expectHit(response);
      assert.equal(lab.origin.requestsFor(path).length, 1);
      return response;
    },
    async status(conditions, method) { return (await this.ask(conditions, method)).status; },
  };
}

test('If-None-Match: any member of the list, on one line or several, in any spacing', async () => {
  const stored = await storedWith({ ETag: '"v1"' });
  for (const condition of ['"v1"', '"a","v1"', '"v1" , "b"', ',, "a", ,"v1",', '"a,b", "v1"', '*', ' * ']) {
    assert.equal(await stored.status({ 'If-None-Match': condition }), 304, condition);
  }
  // Node's HTTP/2 client sends no second line of either.
  if (!overHttp2) assert.equal(await stored.status([['If-None-Match', '"a"'], ['If-None-Match', '"v1"']]), 304);
  for (const condition of ['"a"', '"V1"', 'v1', '"v1', '"a, "v1', '', '"v1"x', 'w/"v1"']) {
    assert.equal(await stored.status({ 'If-None-Match': condition }), 200, condition);
  }
});

test('If-None-Match is compared weakly', async () => {
  for (const tag of ['"v1"', 'W/"v1"']) {
    const stored = await storedWith({ ETag: tag });
    for (const condition of ['"v1"', 'W/"v1"']) assert.equal(await stored.status({ 'If-None-Match': condition }), 304, `${condition} for ${tag}`);
    assert.equal(await stored.status({ 'If-None-Match': 'W/"v2"' }), 200);
  }
});

test('If-None-Match: * matches whatever is stored; conditions mean nothing to another status than 2xx (RFC 9110 section 13.2.1)', async () => {
  const plain = await storedWith({ 'Last-Modified': modified });
  assert.equal(await plain.status({ 'If-None-Match': '*' }), 304);
  const missing = await storedWith({ ETag: '"v1"', 'Last-Modified': modified }, { status: 404 });
  for (const conditions of [{ 'If-None-Match': '*' }, { 'If-None-Match': '"v1"' }, { 'If-Modified-Since': later }]) {
    assert.equal(await missing.status(conditions), 404, JSON.stringify(conditions));
  }
});

test('If-Modified-Since: at Last-Modified or after; what is no date, or stands twice, is ignored', async () => {
  const stored = await storedWith({ 'Last-Modified': modified });
  assert.equal(await stored.status({ 'If-Modified-Since': modified }), 304);
  assert.equal(await stored.status({ 'If-Modified-Since': later }), 304);
  assert.equal(await stored.status({ 'If-Modified-Since': 'Monday, 01-Jan-24 00:00:00 GMT' }), 304);
  assert.equal(await stored.status({ 'If-Modified-Since': 'Mon Jan  1 00:00:00 2024' }), 304);
  for (const since of [earlier, '0', 'yesterday', '2024-01-01T00:00:00Z']) assert.equal(await stored.status({ 'If-Modified-Since': since }), 200, since);
  if (!overHttp2) assert.equal(await stored.status([['If-Modified-Since', modified], ['If-Modified-Since', modified]]), 200);
});

test('If-Modified-Since without Last-Modified is compared with Date (RFC 9111 section 4.3.2)', async () => {
  const stored = await storedWith({ Date: at(-10) });
  assert.equal(await stored.status({ 'If-Modified-Since': at(-9) }), 304);
  assert.equal(await stored.status({ 'If-Modified-Since': at(-3000) }), 200);
});

test('If-None-Match goes before If-Modified-Since, whatever either says (RFC 9110 section 13.2.2)', async () => {
  const stored = await storedWith({ ETag: '"v1"', 'Last-Modified': modified });
  assert.equal(await stored.status({ 'If-None-Match': '"v1"', 'If-Modified-Since': earlier }), 304);
  assert.equal(await stored.status({ 'If-None-Match': '"v2"', 'If-Modified-Since': later }), 200);
});

test('HEAD is answered 304 as GET is', async () => {
  const stored = await storedWith({ ETag: '"v1"' });
  expectBodyless(await stored.ask({ 'If-None-Match': '"v1"' }, 'HEAD'), 304);
  expectBodyless(await stored.ask({ 'If-None-Match': '"v2"' }, 'HEAD'), 200);
});

test('a 304 has the fields of section 15.4.5 and no others that describe the content', async () => {
  const fields = {
    ETag: '"v1"', 'Last-Modified': modified, Expires: at(600), Vary: 'X-V', 'Content-Location': '/here',
    'Content-Type': 'text/plain', 'Content-Language': 'en', 'Content-Encoding': 'gzip', 'X-Other': '1',
  };
  const stored = await storedWith(fields);
  const whole = await stored.ask({});
  const response = await stored.ask({ 'If-None-Match': '"v1"' });
  expectBodyless(response, 304);
  for (const name of ['cache-control', 'content-location', 'date', 'etag', 'expires', 'vary']) assert.equal(response.field(name), whole.field(name), name);
  for (const name of ['content-type', 'content-language', 'content-encoding', 'content-length', 'last-modified']) {
    assert.equal(response.has(name), false, name);
  }
  assert.match(response.field('age'), /^\d+$/);
});

test('without an entity tag a 304 has Last-Modified', async (t) => {
  const own = await ownLab(t, { settings: { 'cache.content_tags': 'false' } });
  const path = own.path();
  own.origin.on(path, { fields: { ...minute, 'Last-Modified': modified }, body: 'body' });
  await own.store(path);
  const response = await own.get(path, { fields: { 'If-Modified-Since': later } });
  expectBodyless(response, 304);
  assert.equal(response.field('last-modified'), modified);
});

// If-Match and If-Unmodified-Since.

for (const [name, right, wrong] of [['If-Match', '"v1"', '"v2"'], ['If-Unmodified-Since', modified, earlier]]) {
  test(`${name} is never evaluated against a stored response: it goes to the origin as it is`, async () => {
    const path = lab.path();
    lab.origin.on(path, (request, reply) => {
      const fields = { ...minute, ETag: '"v1"', 'Last-Modified': modified };
      if (request.has(name) && request.field(name) !== right) reply.send(412, { ...fields, 'X-Why': 'precondition' }, 'failed');
      else reply.send(200, fields, `answer ${lab.origin.requestsFor(path).length}`);
    });
    await lab.store(path);
    const passing = await lab.get(path, { fields: { [name]: right } });
    expectForwarded(passing);
    assert.equal(passing.text, 'answer 2');
    const failed = await lab.get(path, { fields: { [name]: wrong } });
    expectForwarded(failed);
    expectWhole(failed, 412, 'failed');
    assert.equal(failed.field('x-why'), 'precondition');
    assert.equal(failed.field('etag'), '"v1"');
    const requests = lab.origin.requestsFor(path);
    assert.deepEqual(requests.map((request) => request.field(name)), [undefined, right, wrong]);
    assert.equal(requests.some((request) => request.has('if-none-match')), false);
    expectWhole(await lab.get(path), 200);
  });

  test(`requests with ${name} are alone: they neither join another's nor are joined`, async () => {
    const path = lab.path();
    const { opened, open } = gate();
    lab.origin.on(path, async (request, reply) => {
      await opened;
      reply.send(200, { ...minute, ETag: '"v1"' }, request.has(name) ? 'conditional' : 'plain');
    });
    const all = [{}, { [name]: right }, { [name]: right }, {}].map((fields) => lab.get(path, { fields }));
    await lab.origin.received(path, 3);
    open();
    const texts = (await Promise.all(all)).map((response) => response.text);
    assert.deepEqual(texts, ['plain', 'conditional', 'conditional', 'plain']);
    assert.equal(lab.origin.requestsFor(path).length, 3);
  });
}

test('conditions of an unsafe method go to the origin', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => {
    await request.whole();
    if (request.method === 'GET') reply.send(200, { ...minute, ETag: '"v1"' }, 'x');
    else reply.send(412, {}, 'changed meanwhile');
  });
  await lab.store(path);
  for (const fields of [{ 'If-Match': '"v1"' }, { 'If-None-Match': '*' }, { 'If-Unmodified-Since': modified }]) {
    expectWhole(await lab.get(path, { method: 'PUT', body: 'new', fields }), 412, 'changed meanwhile');
    const [name, value] = Object.entries(fields)[0];
    assert.equal(lab.origin.requestsFor(path).at(-1).field(name), value);
  }
  expectHit(await lab.get(path));
});

// If-Range.

const part = { Range: 'bytes=2-4' };

test('If-Range with an entity tag: the part only on a strong match', async () => {
  const strong = await storedWith({ ETag: '"v1"' });
  expectWhole(await strong.ask({ ...part, 'If-Range': '"v1"' }), 206, '234');
  for (const tag of ['"v2"', 'W/"v1"', 'v1', '"v1", "v2"', '*']) expectWhole(await strong.ask({ ...part, 'If-Range': tag }), 200, '0123456789');
  const weak = await storedWith({ ETag: 'W/"v1"' });
  for (const tag of ['W/"v1"', '"v1"']) expectWhole(await weak.ask({ ...part, 'If-Range': tag }), 200, '0123456789');
});

test('If-Range with a date: the part only where it is exactly Last-Modified, and that is strong', async () => {
  const stored = await storedWith({ 'Last-Modified': modified });
  expectWhole(await stored.ask({ ...part, 'If-Range': modified }), 206, '234');
  for (const date of [earlier, later]) expectWhole(await stored.ask({ ...part, 'If-Range': date }), 200, '0123456789');
  const now = at(-5);
  const recent = await storedWith({ 'Last-Modified': now });
  expectWhole(await recent.ask({ ...part, 'If-Range': now }), 200, '0123456789');
});

test('the conditions are evaluated before Range: 304 and not 206', async () => {
  const stored = await storedWith({ ETag: '"v1"' });
  expectBodyless(await stored.ask({ ...part, 'If-None-Match': '"v1"' }), 304);
  expectWhole(await stored.ask({ ...part, 'If-None-Match': '"v2"' }), 206, '234');
});

// On a miss.

for (const control of ['max-age=60', 'no-store', 'private', 'max-age=0']) {
  test(`on a miss the condition is withheld, and evaluated against the arriving 200 (${control})`, async () => {
    const fields = { 'Cache-Control': control, ETag: '"v1"', 'Last-Modified': modified, 'Content-Type': 'text/plain' };
    for (const [conditions, status] of [
      [{ 'If-None-Match': 'W/"v1"' }, 304], [{ 'If-None-Match': '"v2"' }, 200], [{ 'If-None-Match': '*' }, 304],
      [{ 'If-Modified-Since': later }, 304], [{ 'If-Modified-Since': earlier }, 200],
    ]) {
      const path = lab.path();
      lab.origin.on(path, { fields, body: 'whole' });
      const response = await lab.get(path, { fields: conditions });
      expectForwarded(response);
      assert.equal(response.status, status, JSON.stringify(conditions));
      if (status === 304) expectBodyless(response, 304);
      else expectWhole(response, 200, 'whole');
      assert.equal(response.field('etag'), '"v1"');
      const [request] = lab.origin.requestsFor(path);
      assert.equal(request.has('if-none-match') || request.has('if-modified-since'), false, request.headBytes.toString());
    }
  });
}

test('one transfer serves clients with and without a condition', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  const before = (await lab.edge.metrics()).sum('freshet_collapsed_total');
  lab.origin.on(path, async (_, reply) => { await opened; reply.send(200, { ...minute, ETag: '"v1"' }, 'whole'); });
  const all = [{ 'If-None-Match': '"v1"' }, {}, { 'If-None-Match': '"v2"' }, { 'If-None-Match': '*' }].map((fields) => lab.get(path, { fields }));
  await lab.edge.metricsWhen((metrics) => metrics.sum('freshet_collapsed_total') >= before + 3, 'three requests that joined');
  open();
  const responses = await Promise.all(all);
  assert.deepEqual(responses.map((response) => response.status), [304, 200, 200, 304]);
  for (const response of responses.filter(({ status }) => status === 200)) expectWhole(response, 200, 'whole');
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('a condition on a miss that is answered with an error is not evaluated', async () => {
  const path = lab.path();
  lab.origin.on(path, { status: 404, fields: { 'Cache-Control': 'no-store', ETag: '"v1"' }, body: 'none' });
  expectWhole(await lab.get(path, { fields: { 'If-None-Match': '"v1"' } }), 404, 'none');
});

test('after a 304 the connection serves the next request', async () => {
  const stored = await storedWith({ ETag: '"v1"' });
  const client = await lab.connect();
  for (let i = 0; i < 3; ++i) {
    expectBodyless(await client.request(stored.path, { fields: { 'If-None-Match': '"v1"' } }).response(), 304);
    expectWhole(await client.request(stored.path).response(), 200, '0123456789');
  }
});
