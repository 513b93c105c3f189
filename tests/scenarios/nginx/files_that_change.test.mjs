// nginx as origin, with files that change. What the edge asked is read from nginx's own access log.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { Edge } from '../../support/edge.mjs';
import { expectBodyless, expectForwarded, expectHit, expectRevalidated, expectWhole } from '../../support/expect.mjs';
import { Nginx } from '../../support/nginx.mjs';

const past = (day) => new Date(Date.UTC(2024, 0, day));

let nginx;
let edge;
let files = 0;
let file;

before(async () => {
  nginx = await Nginx.start({
    server: (n) => `
      root ${n.prefix}/www;
      etag on;
      location /fresh/ { add_header Cache-Control "max-age=600"; }
      location /cookie/ { add_header Cache-Control "public, no-cache"; }
      location / { add_header Cache-Control "no-cache"; }`,
  });
  edge = await Edge.start({ origin: nginx.url });
});
after(async () => {
  await edge?.stop();
  await nginx?.stop();
});
beforeEach(() => { file = `page-${++files}.html`; });

const seen = (name, n) => nginx.logged((record) => record.uri === `/${name}`, n);

test('a stale stored response costs one conditional request and gets a 304; after the file changes, a 200', async () => {
  nginx.write(file, 'first version', past(1));
  const first = await edge.get(`/${file}`);
  expectWhole(first, 200, 'first version');
  const etag = first.field('etag');
  const modified = first.field('last-modified');

  const second = await edge.get(`/${file}`);
  expectRevalidated(second);
  expectWhole(second, 200, 'first version');
  const [, conditional] = await seen(file, 2);
  assert.deepEqual([conditional.status, conditional.inm, conditional.ims], [304, etag, modified]);

  nginx.write(file, 'second version', past(2));
  const third = await edge.get(`/${file}`);
  expectForwarded(third, 'stale');
  expectWhole(third, 200, 'second version');
  const [, , changed] = await seen(file, 3);
  assert.deepEqual([changed.status, changed.inm], [200, etag]);

  const fourth = await edge.get(`/${file}`);
  expectRevalidated(fourth);
  expectWhole(fourth, 200, 'second version');
  const records = await seen(file, 4);
  assert.equal(records.length, 4);
  assert.deepEqual([records[3].status, records[3].inm, records[3].ims], [304, third.field('etag'), third.field('last-modified')]);
});

test('the client with the old ETag gets 304, then 200 with the new', async () => {
  nginx.write(file, 'first version', past(1));
  const etag = (await edge.get(`/${file}`)).field('etag');
  expectBodyless(await edge.get(`/${file}`, { fields: { 'If-None-Match': etag } }), 304);
  nginx.write(file, 'second version', past(2));
  const changed = await edge.get(`/${file}`, { fields: { 'If-None-Match': etag } });
  expectWhole(changed, 200, 'second version');
  assert.notEqual(changed.field('etag'), etag);
  expectBodyless(await edge.get(`/${file}`, { fields: { 'If-None-Match': changed.field('etag') } }), 304);
});

test('the client with the old Last-Modified gets 304, then 200', async () => {
  nginx.write(file, 'first version', past(1));
  const modified = (await edge.get(`/${file}`)).field('last-modified');
  expectBodyless(await edge.get(`/${file}`, { fields: { 'If-Modified-Since': modified } }), 304);
  nginx.write(file, 'second version', past(2));
  expectWhole(await edge.get(`/${file}`, { fields: { 'If-Modified-Since': modified } }), 200, 'second version');
});

test('a fresh stored response is not asked for again; a client that insists gets it revalidated', async () => {
  const name = `fresh/${file}`;
  nginx.write(name, 'fresh', past(1));
  expectWhole(await edge.get(`/${name}`), 200, 'fresh');
  for (let i = 0; i < 5; ++i) expectHit(await edge.get(`/${name}`));
  expectWhole(await edge.get(`/${name}`, { fields: { 'Cache-Control': 'no-cache' } }), 200, 'fresh');
  const records = await seen(name, 2);
  assert.equal(records.length, 2);
  assert.equal(records[1].status, 304);
});

test('a file that is removed becomes a 404', async () => {
  nginx.write(file, 'soon gone', past(1));
  expectWhole(await edge.get(`/${file}`), 200, 'soon gone');
  nginx.remove(file);
  assert.equal((await edge.get(`/${file}`)).status, 404);
  nginx.write(file, 'back again', past(3));
  expectWhole(await edge.get(`/${file}`), 200, 'back again');
});

test('a large file arrives whole, and again from the store after one 304', async () => {
  const body = Buffer.alloc(8 * 1024 * 1024);
  for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(Math.imul(i, 2246822519) >>> 0, i);
  nginx.write(file, body, past(1));
  expectWhole(await edge.get(`/${file}`), 200, body);
  const second = await edge.get(`/${file}`);
  expectRevalidated(second);
  expectWhole(second, 200, body);
  const records = await seen(file, 2);
  assert.equal(records[1].bytes, 0);
});

test('fifty clients at once on a stale response: one conditional request in flight at a time, far fewer than clients', async () => {
  const name = `cookie/${file}`;
  nginx.write(name, 'for all', past(1));
  await edge.get(`/${name}`);
  const responses = await Promise.all(Array.from({ length: 50 }, () => edge.get(`/${name}`)));
  for (const response of responses) expectWhole(response, 200, 'for all');
  const records = await seen(name, 2);
  for (const record of records.slice(1)) assert.equal(record.status, 304);
  assert.equal((await edge.metrics()).sum('freshet_origin_errors_total'), 0);
});

test('nginx stopped and started again: the response is revalidated', async (t) => {
  const own = await Nginx.start({ server: (n) => `root ${n.prefix}/www; add_header Cache-Control "max-age=0, stale-if-error=600";` });
  t.after(() => own.stop());
  own.write('a.html', 'steady', past(1));
  const ownEdge = await Edge.start({ origin: own.url });
  t.after(() => ownEdge.stop());
  expectWhole(await ownEdge.get('/a.html'), 200, 'steady');
  await own.pause();
  expectWhole(await ownEdge.get('/a.html'), 200, 'steady');
  await own.resume();
  const back = await ownEdge.get('/a.html');
  expectRevalidated(back);
  expectWhole(back, 200, 'steady');
});
