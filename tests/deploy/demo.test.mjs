// The demo origin gives the kinds of answers that its index page promises, and leaves cleanly.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { startDemo } from './programs.mjs';

let demo;
before(async () => { demo = await startDemo(); });
after(() => demo.stop());

// Not fetch: it adds `Cache-Control: no-cache` to a conditional request, and Express then sends the whole.
function get(path, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    const request = http.request(demo.url + path, { method, headers, agent: false }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part)).on('error', reject).on('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) });
      });
    });
    request.on('error', reject).end();
  });
}

test('the index page names routes that exist, and a stylesheet and an image', async () => {
  const page = String((await get('/')).body);
  const routes = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1]);
  assert.ok(routes.includes('/static/style.css') && routes.includes('/static/freshet.svg'));
  for (const route of new Set(routes)) {
    const { status } = await get(route);
    assert.ok(status < 400, `${route}: ${status}`);
  }
});

test('/api/data has a strong entity tag made from its content, and answers 304 to it', async () => {
  const answer = await get('/api/data');
  const tag = answer.headers.etag;
  assert.equal(tag, `"${createHash('sha256').update(answer.body).digest('hex')}"`);
  assert.equal(answer.headers['cache-control'], 'public, max-age=30');
  assert.ok(answer.headers['last-modified']);
  const again = await get('/api/data', { 'If-None-Match': tag });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
});

test('a static file has Last-Modified and no entity tag', async () => {
  const answer = await get('/static/style.css');
  assert.equal(answer.headers.etag, undefined);
  const again = await get('/static/style.css', { 'If-Modified-Since': answer.headers['last-modified'] });
  assert.equal(again.status, 304);
});

test('pages: must-revalidate, no-cache with a tag, and none of all', async () => {
  assert.equal((await get('/page')).headers['cache-control'], 'public, max-age=3600, must-revalidate');
  const news = await get('/news');
  assert.equal(news.headers['cache-control'], 'no-cache');
  assert.match(news.headers.etag, /^"/);
  const plain = await get('/plain');
  for (const name of ['etag', 'last-modified', 'cache-control', 'expires']) assert.equal(plain.headers[name], undefined);
});

test('redirects', async () => {
  for (const status of [301, 302, 307, 308]) {
    const answer = await get(`/redirect/${status}`);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.location, '/page');
  }
});

test('/slow takes at least as long as it is asked to', async () => {
  const began = performance.now();
  await get('/slow?ms=50');
  assert.ok(performance.now() - began >= 49);
});

test('/counter changes on POST', async () => {
  const first = await get('/counter');
  await get('/counter', {}, 'POST');
  const second = await get('/counter');
  assert.notEqual(first.headers.etag, second.headers.etag);
  assert.equal(JSON.parse(second.body).count, JSON.parse(first.body).count + 1);
});

test('/_log counts what was asked, by status', async () => {
  await get('/_log', {}, 'DELETE');
  const { headers } = await get('/news');
  await get('/news', { 'If-None-Match': headers.etag });
  await get('/static/style.css');
  const log = JSON.parse((await get('/_log')).body);
  assert.deepEqual(log['GET /news'], { 200: 1, 304: 1 });
  assert.deepEqual(log['GET /static/style.css'], { 200: 1 });
});

test('a port that is taken is said, with exit status 1', async () => {
  const second = await startDemo(new URL(demo.url).port, { ready: false });
  assert.equal((await second.ended).status, 1);
  assert.match(second.output, /cannot listen on 127\.0\.0\.1:\d+/);
});
