// The demo origin: an Express application with one route for each kind of answer that an edge meets.
//
// It answers conditional requests itself, and counts what it saw: `GET /_log` tells, per method and route, how
// many answers of each status it gave. An answer that an edge served alone is not in that count.

import crypto from 'node:crypto';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { indexPage } from './index_page.js';

const kPublicFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'public');
const kSlowDefault = 500;
const kSlowMost = 60_000;

export function createApp() {
  const app = express();
  app.disable('x-powered-by');
  // Express would give every answer a weak entity tag; here each route says what it has.
  app.set('etag', false);

  const seen = new Map();
  app.use((request, response, next) => {
    const route = request.path; // express.static shortens it
    response.on('finish', () => {
      if (route === '/_log') return;
      const name = `${request.method} ${route}`;
      const counts = seen.get(name) ?? {};
      counts[response.statusCode] = (counts[response.statusCode] ?? 0) + 1;
      seen.set(name, counts);
    });
    next();
  });

  addPages(app);
  addData(app);
  addRedirects(app);
  addCounter(app);
  app.use(
    '/static',
    express.static(kPublicFolder, { etag: false, lastModified: true, maxAge: '60s', index: false, redirect: false }),
  );

  app.get('/_log', (request, response) => {
    response.set('Cache-Control', 'no-store').json(Object.fromEntries(seen));
  });
  app.delete('/_log', (request, response) => {
    seen.clear();
    response.sendStatus(204);
  });
  return app;
}

// A strong entity tag from the content, as build tools and frameworks make them.
function strongTag(content) {
  return `"${crypto.createHash('sha256').update(content).digest('hex')}"`;
}

// `send` compares the request's If-None-Match and If-Modified-Since with what is set here and answers 304.
function sendWithTag(response, type, content) {
  response.type(type).set('ETag', strongTag(content)).send(content);
}

function addPages(app) {
  app.get('/', (request, response) => {
    response.set('Cache-Control', 'public, max-age=5');
    sendWithTag(response, 'html', indexPage());
  });
  app.get('/page', (request, response) => {
    response.set('Cache-Control', 'public, max-age=3600, must-revalidate');
    sendWithTag(response, 'html', '<!doctype html><title>A page</title><p>Fresh for an hour, never served stale.\n');
  });
  app.get('/news', (request, response) => {
    response.set('Cache-Control', 'no-cache');
    sendWithTag(response, 'html', '<!doctype html><title>News</title><p>Stored, and validated for each use.\n');
  });
  app.get('/plain', (request, response) => {
    response.type('text').send('Neither a validator nor a freshness lifetime.\n');
  });
  app.get('/slow', async (request, response) => {
    const asked = Number(request.query.ms ?? kSlowDefault);
    const delay = Number.isFinite(asked) && asked >= 0 ? Math.min(asked, kSlowMost) : kSlowDefault;
    await wait(delay);
    response.set('Cache-Control', 'public, max-age=10');
    sendWithTag(response, 'text', `This took ${delay} ms to make.\n`);
  });
}

const kDataChanged = new Date('2024-05-01T12:00:00Z');

function addData(app) {
  app.get('/api/data', (request, response) => {
    const content = JSON.stringify({ name: 'freshet', kind: 'demo', items: Array.from({ length: 100 }, (_, i) => i) });
    response.set('Cache-Control', 'public, max-age=30');
    response.set('Last-Modified', kDataChanged.toUTCString());
    sendWithTag(response, 'json', content);
  });
}

function addRedirects(app) {
  for (const status of [301, 302, 307, 308]) {
    app.all(`/redirect/${status}`, (request, response) => response.redirect(status, '/page'));
  }
}

function addCounter(app) {
  let count = 0;
  app.get('/counter', (request, response) => {
    response.set('Cache-Control', 'public, max-age=60');
    sendWithTag(response, 'json', JSON.stringify({ count }));
  });
  app.post('/counter', (request, response) => {
    count += 1;
    response.json({ count });
  });
}
