// The ways to invalidate, each as a function that resolves with { sequence } once it is acknowledged as durable. What the edge under test does not have is
// left out; `freshet purge`, PURGE and /v1/invalidate are asked for by asking the edge.

import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';

import { runToEnd } from '../support/edge.mjs';

const order = (scope, soft) => {
  const [kind, text] = scope.split(' ');
  return { ...(kind === 'all' ? { all: true } : { [{ url: 'urls', prefix: 'prefixes', host: 'hosts', tag: 'tags' }[kind]]: [text] }), soft };
};

function post(edge, json) {
  const body = JSON.stringify(json);
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath: path.join(edge.cacheDir, 'admin.sock'), path: '/v1/invalidate', method: 'POST', agent: false,
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => { text += part; }).on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.once('error', reject);
    request.end(body);
  });
}

// The kill came in the middle of the answer.
const cut = () => Object.assign(new Error('the answer was cut'), { code: 'ECONNRESET' });

function durable(status, text) {
  assert.equal(status, 200, text);
  const reply = JSON.parse(text);
  assert.equal(reply.durable, true, text);
  return reply;
}

// POST /v1/invalidate.
async function byAdmin(edge, scope, soft) {
  const { status, text } = await post(edge, order(scope, soft));
  return durable(status, text);
}

// PURGE of a URL, or of a tag.
async function byMethod(edge, scope, soft) {
  const [kind, text] = scope.split(' ');
  const url = kind === 'url' ? new URL(text) : new URL('http://purge.example/');
  const fields = { ...(kind === 'tag' ? { 'Surrogate-Key': text } : {}), ...(soft ? { 'Soft-Purge': '1' } : {}) };
  const response = await edge.get(url.pathname, { method: 'PURGE', host: url.host, fields });
  if (!response.complete) throw cut();
  return durable(response.status, response.text);
}

// freshet purge.
async function byCommand(edge, scope, soft) {
  const [kind, text] = scope.split(' ');
  const words = { url: [text], prefix: ['--prefix', text], host: ['--host', text], tag: ['--tag', text], all: ['--all'] }[kind];
  const done = await runToEnd(['purge', '--cache-dir', edge.cacheDir, ...words, ...(soft ? ['--soft'] : [])]);
  if (done.status !== 0) throw Object.assign(new Error(`freshet purge: ${done.stderr}${done.stdout}`), { code: 'ECONNRESET' });
  assert.match(done.stdout, /durable/);
  return { sequence: Number(/sequence (\d+)/.exec(done.stdout)[1]) };
}

// An unsafe method that the origin answers 200; no number, and durable as writes are.
async function byPost(edge, scope) {
  const url = new URL(scope.split(' ')[1]);
  const response = await edge.get(url.pathname, { method: 'POST', host: url.host, fields: { 'Content-Length': '0' } });
  if (!response.complete) throw cut();
  assert.equal(response.status, 200);
  return { unsynced: true };
}

// [ways for each kind of scope]; `random` says which.
export async function waysOf(edge) {
  const { status } = await post(edge, { tags: ['probe'] });
  if (status === 404 || status === 405) return { url: [byPost] };
  return {
    url: [byMethod, byMethod, byAdmin, byAdmin, byCommand, byPost],
    prefix: [byAdmin, byAdmin, byCommand],
    host: [byAdmin, byAdmin, byCommand],
    tag: [byMethod, byAdmin, byAdmin, byCommand],
    all: [byAdmin, byCommand],
  };
}
export const ignoresStrength = (way) => way === byPost;
