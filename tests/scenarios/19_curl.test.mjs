// curl as the client: what an operator types to see what the edge does.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { temporaryDirectory } from '../support/edge.mjs';
import { sharedLab } from '../support/lab.mjs';
import { curlFlags, notOverHttp2 } from '../support/protocol.mjs';

const run = promisify(execFile);
const lab = sharedLab();
const fresh = { 'Cache-Control': 'max-age=60', ETag: '"v1"' };
let scratch;
before(() => { scratch = temporaryDirectory(); });
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

// Head and body that curl saw, with the last status; curl's own failures reject.
async function curl(target, ...args) {
  const { stdout } = await run('curl', ['-sS', '--noproxy', '*', ...curlFlags(), '-i', '-w', '\n%{http_code}', ...args, `${lab.edge.url}${target}`], { maxBuffer: 1 << 26 });
  const at = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(at + 1)), text: stdout.slice(0, at) };
}

test('MISS, HIT, and a 304 with --etag-compare', async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'hello' });
  const etag = path.join(scratch, 'etag');
  assert.match((await curl(target, '--etag-save', etag)).text, /^cache-status: freshet; ?fwd=/im);
  assert.match((await curl(target)).text, /^cache-status: freshet; ?hit/im);
  assert.equal((await curl(target, '--etag-compare', etag)).status, 304);
  assert.equal(lab.origin.requestsFor(target).length, 1);
});

test('--head shows the fields of a stored response', async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'hello' });
  await curl(target);
  const { status, text } = await curl(target, '--head');
  assert.equal(status, 200);
  assert.match(text, /^content-length: 5/im);
});

test('an upload of several MiB with Expect: 100-continue arrives byte for byte', async () => {
  const target = lab.path();
  lab.origin.on(target, async (request, reply) => {
    await request.whole();
    reply.send(201, {}, crypto.createHash('sha256').update(request.body).digest('hex'));
  });
  const bytes = crypto.randomBytes(5 * 1024 * 1024);
  const file = path.join(scratch, 'upload');
  fs.writeFileSync(file, bytes);
  const digest = crypto.createHash('sha256').update(bytes).digest('hex');
  for (const flags of [['-T', file], ['-T', file, '-H', 'Transfer-Encoding: chunked'], ['-T', file, '-H', 'Expect: 100-continue']]) {
    const { status, text } = await curl(target, ...flags);
    assert.equal(status, 201);
    assert.ok(text.endsWith(digest));
  }
});

test('a download of several MiB is the same from the origin and from the store', async () => {
  const target = lab.path();
  const bytes = crypto.randomBytes(5 * 1024 * 1024);
  lab.origin.on(target, { fields: fresh, body: bytes });
  const file = path.join(scratch, 'download');
  for (let i = 0; i < 2; ++i) {
    await run('curl', ['-sS', '--noproxy', '*', ...curlFlags(), '-o', file, `${lab.edge.url}${target}`]);
    assert.ok(fs.readFileSync(file).equals(bytes));
  }
  assert.equal(lab.origin.requestsFor(target).length, 1);
});

test('--http1.0 gets its response', notOverHttp2('curl would speak HTTP/1.0'), async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'hello' });
  const { status, text } = await curl(target, '--http1.0');
  assert.equal(status, 200);
  assert.ok(text.endsWith('hello'));
});

test('G2: curl notices a body that the origin cut', async () => {
  const target = lab.path();
  lab.origin.on(target, (_, reply) => { reply.head(200, { ...fresh, 'Content-Length': '100' }).write('half').end(); });
  await assert.rejects(curl(target), (error) => [18, 22, 56, 92].includes(error.code));
});

test('fifty transfers in parallel on reused connections', async () => {
  const target = lab.path();
  lab.origin.on(target, { fields: fresh, body: 'x'.repeat(10_000) });
  const { stdout } = await run('curl', ['-sS', '--noproxy', '*', ...curlFlags(), '-Z', '--parallel-max', '10', '-o', '/dev/null', '-w', '%{http_code} %{size_download}\n',
    `${lab.edge.url}${target}?[1-50]`]);
  assert.equal(stdout, '200 10000\n'.repeat(50));
});
