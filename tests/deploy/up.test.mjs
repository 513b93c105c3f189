// deploy/up, as somebody would use it: the lines that it prints are run and show what they promise, and Ctrl-C leaves
// nothing behind.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Program, startDemo } from './programs.mjs';

const caches = [];
const started = [];
after(async () => {
  // After a failed test: it must not keep what it started.
  await Promise.all(started.map((program) => program.over ?? program.signal('SIGTERM')));
  caches.forEach((folder) => fs.rmSync(folder, { recursive: true, force: true }));
});

function up(...more) {
  const cache = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-up-'));
  caches.push(cache);
  started.push(new Program('deploy/up', ['--cache-dir', cache, '--admin', '127.0.0.1:0', ...more]));
  return started.at(-1);
}

// Runs the curl lines as printed: the answers' heads.
function runPrintedLines(output) {
  const lines = output.split('\n').filter((line) => line.startsWith('  curl '));
  return lines.map((line) => execFileSync('sh', ['-c', line], { encoding: 'utf8', timeout: 20_000 }));
}

test('before the demo origin: the printed lines show MISS, HIT and 304, and Ctrl-C stops all', async () => {
  const edge = up('--listen', '127.0.0.1:0');
  await edge.prints(/Ctrl-C stops it/);
  const heads = runPrintedLines(edge.output);
  assert.equal(heads.length, 3);
  assert.match(heads[0], /^HTTP\/1\.1 200 /);
  assert.match(heads[0], /^cache-status: freshet; fwd=(uri-)?miss/im);
  assert.match(heads[1], /^HTTP\/1\.1 200 /);
  assert.match(heads[1], /^cache-status: freshet; hit/im);
  assert.match(heads[2], /^HTTP\/1\.1 304 /);
  const { status } = await edge.interruptGroup();
  assert.equal(status, 0, edge.output);
  assert.equal(edge.leftBehind, false);
});

test('--origin stands before any origin and starts no demo; SIGTERM stops it', async () => {
  const origin = await startDemo();
  try {
    const edge = up('--listen', '127.0.0.1:0', '--origin', origin.url);
    const [, url] = await edge.prints(/listening on (http:\/\/[^\s",]+)/);
    assert.doesNotMatch(edge.output, /demo origin/);
    const answer = await fetch(`${url}/news`);
    assert.equal(answer.status, 200);
    await answer.text();
    assert.equal((await edge.signal('SIGTERM')).status, 0, edge.output);
    assert.equal(edge.leftBehind, false);
  } finally {
    await origin.stop();
  }
});

test('a port that is taken: one clear line, exit status 2, and nothing left behind', async () => {
  const holder = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => holder.once('listening', resolve));
  try {
    const { port } = holder.address();
    const edge = up('--listen', `127.0.0.1:${port}`);
    assert.equal((await edge.ended).status, 2, edge.output);
    assert.ok(edge.output.includes(`:${port}`), edge.output);
    assert.equal(edge.leftBehind, false);
  } finally {
    holder.close();
  }
});

test('--help tells how it is used and starts nothing', async () => {
  const help = up('--help');
  assert.equal((await help.ended).status, 0);
  assert.match(help.output, /deploy\/up --origin URL/);
});
