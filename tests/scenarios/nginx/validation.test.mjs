// Revalidation (RFC 9111 section 4.3) with the validators that nginx makes: strong, weak, dates alone; variants; what a 304 updates; failures.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { Edge } from '../../support/edge.mjs';
import { expectBodyless, expectForwarded, expectHit, expectRevalidated, expectWhole } from '../../support/expect.mjs';
import { cacheStatus } from '../../support/message.mjs';
import { Nginx } from '../../support/nginx.mjs';
import { eventually } from '../../support/waiting.mjs';

const past = (day) => new Date(Date.UTC(2024, 0, day));
const page = (text) => `<!doctype html>${text} ${'and so on '.repeat(200)}`;

let nginx;
let edge;
let files = 0;
let name;

before(async () => {
  nginx = await Nginx.start({
    server: (n) => `
      root ${n.prefix}/www;
      add_header Cache-Control "no-cache";
      add_header X-Answer $request_id;
      if (-f ${n.prefix}/www/down) { return 503; }
      location /both/ { etag on; }
      location /date/ { etag off; }
      location /tag/ { etag on; add_header Cache-Control "no-cache"; add_header X-Answer $request_id; add_header Last-Modified ""; }
      location /brief/ {
        etag on; gzip on; gzip_proxied any; gzip_vary on; gzip_types text/html; gzip_min_length 1; add_header Cache-Control "max-age=1";
      }
      location /packed/ { etag on; gzip on; gzip_proxied any; gzip_vary on; gzip_types text/html; gzip_min_length 1; }`,
  });
  edge = await Edge.start({ origin: nginx.url });
});
after(async () => {
  await edge?.stop();
  await nginx?.stop();
});
beforeEach(() => { name = `page-${++files}.html`; });

const seen = (target, n) => nginx.logged((record) => record.uri === target, n);

for (const [folder, asked] of [
  ['both', (r) => ({ inm: r.field('etag'), ims: r.field('last-modified') })],
  ['date', (r) => ({ inm: '', ims: r.field('last-modified') })],
  ['tag', (r) => ({ inm: r.field('etag'), ims: '' })],
]) {
  test(`${folder}: each use is one conditional request with what the response had; a change is a 200`, async () => {
    const target = `/${folder}/${name}`;
    nginx.write(target, page('first'), past(1));
    const first = await edge.get(target);
    expectWhole(first, 200, page('first'));
    // Where nginx gives no entity tag, the edge does.
    assert.deepEqual([/^"fr1-/.test(first.field('etag')), first.has('last-modified')], [folder === 'date', folder !== 'tag']);
    for (let use = 2; use <= 4; ++use) {
      const response = await edge.get(target);
      expectRevalidated(response);
      expectWhole(response, 200, page('first'));
      const record = (await seen(target, use))[use - 1];
      assert.deepEqual({ status: record.status, bytes: record.bytes, inm: record.inm, ims: record.ims }, { status: 304, bytes: 0, ...asked(first) });
    }
    nginx.write(target, page('second, longer'), past(2));
    const changed = await edge.get(target);
    expectForwarded(changed, 'stale');
    expectWhole(changed, 200, page('second, longer'));
    expectRevalidated(await edge.get(target));
  });
}

test('what a 304 carries replaces the stored field, what it omits stays (section 3.2)', async () => {
  const target = `/both/${name}`;
  nginx.write(target, page('first'), past(1));
  const answers = new Set([(await edge.get(target)).field('x-answer')]);
  for (let i = 0; i < 3; ++i) {
    const response = await edge.get(target);
    expectRevalidated(response);
    assert.equal(response.field('content-type'), 'text/html');
    assert.equal(response.field('content-length'), String(page('first').length));
    answers.add(response.field('x-answer'));
  }
  assert.equal(answers.size, 4);
});

// nginx compresses as it sends: W/"x" for what is packed, "x" for what is not, and "x" in the 304 for either.
for (const order of [['', 'gzip'], ['gzip', '']]) {
  test(`packed on the way (${order.map((one) => one || 'identity').join(' first, then ')}): whoever takes no gzip never gets it, and each can read its answer`, async () => {
    const target = `/packed/${name}`;
    for (const text of [page('first'), page('second and longer')]) {
      nginx.write(target, text, past(text.length % 28));
      for (const accepted of [...order, ...order, ...order]) {
        const response = await edge.get(target, { fields: accepted === '' ? {} : { 'Accept-Encoding': accepted } });
        assert.deepEqual([response.status, response.complete], [200, true]);
        const coding = response.field('content-encoding');
        if (accepted === '') assert.equal(coding, undefined);
        assert.equal((coding === 'gzip' ? gunzipSync(response.body) : response.body).toString(), text);
        assert.equal(response.field('vary'), 'Accept-Encoding');
      }
    }
  });
}

test('packed on the way: each use is one request, although the 304 has the strong form of the tag', async () => {
  for (const accepted of [{}, { 'Accept-Encoding': 'gzip' }]) {
    const target = `/packed/${accepted['Accept-Encoding'] ?? 'plain'}-${name}`;
    nginx.write(target, page('packed'), past(1));
    const first = await edge.get(target, { fields: accepted });
    assert.equal(first.field('etag').startsWith('W/'), 'Accept-Encoding' in accepted);
    for (let use = 2; use <= 4; ++use) {
      const response = await edge.get(target, { fields: accepted });
      expectRevalidated(response);
      assert.equal(response.field('etag'), first.field('etag'));
      assert.equal(response.field('content-encoding'), first.field('content-encoding'));
      assert.deepEqual(response.body, first.body);
      const records = await seen(target, use);
      assert.deepEqual(records.map((r) => r.status), [200, ...Array(use - 1).fill(304)]);
      assert.equal(records[use - 1].inm, first.field('etag'));
    }
  }
});

for (const order of [['', 'gzip'], ['gzip', '']]) {
  test(`packed on the way, fresh and expired (${order.map((one) => one || 'identity').join(' first, then ')}): each gets its own coding, and an expiry costs one request`, async () => {
    const target = `/brief/${name}`;
    const fields = (accepted) => (accepted === '' ? {} : { 'Accept-Encoding': accepted });
    nginx.write(target, page('brief'), past(1));
    const right = (response, accepted) => {
      assert.equal(response.status, 200);
      assert.equal(response.field('content-encoding'), accepted === '' ? undefined : 'gzip');
      assert.equal((accepted === '' ? response.body : gunzipSync(response.body)).toString(), page('brief'));
    };
    for (const accepted of order) {
      right(await edge.get(target, { fields: fields(accepted) }), accepted);
      right(await edge.get(target, { fields: fields(accepted) }), accepted);
    }
    assert.deepEqual((await seen(target, 2)).map((r) => [r.status, r.inm]), [[200, ''], [200, '']]);
    for (let expiry = 1; expiry <= 2; ++expiry) {
      for (const accepted of order) {
        // Until the stored response has expired: a hit says how long that is.
        const response = await eventually(async () => {
          const one = await edge.get(target, { fields: fields(accepted) });
          right(one, accepted);
          return cacheStatus(one)?.fwd !== undefined && one;
        }, () => 'the expiry of the stored response');
        expectRevalidated(response);
      }
    }
    assert.deepEqual([...new Set((await seen(target, 6)).slice(2).map((r) => r.status))], [304]);
  });
}

test('a 503 while revalidating costs nothing: no-cache says 503, and the response is there afterwards', async () => {
  const target = `/both/${name}`;
  nginx.write(target, page('steady'), past(1));
  expectWhole(await edge.get(target), 200, page('steady'));
  nginx.write('down', '', past(1));
  try {
    const during = await edge.get(target);
    assert.ok(during.status >= 500, during.head);
  } finally {
    nginx.remove('down');
  }
  const afterwards = await edge.get(target);
  expectRevalidated(afterwards);
  expectWhole(afterwards, 200, page('steady'));
});

test('HEAD on a response that must be validated: no body, and the stored one is still confirmed', async () => {
  const target = `/both/${name}`;
  nginx.write(target, page('headed'), past(1));
  await edge.get(target);
  const head = await edge.get(target, { method: 'HEAD' });
  expectBodyless(head, 200);
  assert.equal(head.field('content-length'), String(page('headed').length));
  const response = await edge.get(target);
  expectRevalidated(response);
  expectWhole(response, 200, page('headed'));
});

test('a deploy that renames files into place: old and new content never mix under fifty readers', async () => {
  const target = `/both/${name}`;
  const versions = Array.from({ length: 6 }, (_, i) => page(`version ${i} ${'x'.repeat(100 * i)}`));
  nginx.write(target, versions[0], past(1));
  await edge.get(target);
  for (let i = 1; i < versions.length; ++i) {
    const readers = Array.from({ length: 50 }, () => edge.get(target));
    nginx.write(target, versions[i], past(1 + i));
    for (const response of await Promise.all(readers)) {
      assert.equal(response.complete, true);
      assert.ok([versions[i - 1], versions[i]].includes(response.text), response.text.slice(0, 40));
    }
    expectWhole(await edge.get(target), 200, versions[i]);
  }
});

test('fresh again after the 304 where the origin says so', async (t) => {
  const own = await Nginx.start({
    http: () => 'map $http_if_none_match $first_age { "" 700; }',
    server: (n) => `root ${n.prefix}/www; add_header Cache-Control "max-age=600"; add_header Age $first_age;`,
  });
  t.after(() => own.stop());
  own.write('a.html', 'steady', past(1));
  const ownEdge = await Edge.start({ origin: own.url });
  t.after(() => ownEdge.stop());
  await ownEdge.get('/a.html');
  expectRevalidated(await ownEdge.get('/a.html'));
  expectHit(await ownEdge.get('/a.html'));
});
