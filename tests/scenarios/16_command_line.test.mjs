// The command line and the configuration file: what is wrong is said in one clear line, with exit status 2.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Edge, freshetBin, runToEnd, temporaryDirectory } from '../support/edge.mjs';
import { expectHit, expectWhole } from '../support/expect.mjs';
import { Origin } from '../support/origin.mjs';

let scratch;
let origin;
before(async () => {
  scratch = temporaryDirectory();
  origin = await Origin.start();
  origin.on('/', { fields: { 'Cache-Control': 'max-age=60' }, body: 'x' });
});
after(async () => {
  await origin.stop();
  fs.rmSync(scratch, { recursive: true, force: true });
});

let files = 0;
function configFile(text) {
  const file = path.join(scratch, `freshet-${++files}.toml`);
  fs.writeFileSync(file, text);
  return file;
}

// A good command line for `run`, with these flags instead of or beside its own.
function runWith(...flags) {
  const own = { '--origin': origin.url, '--listen': '127.0.0.1:0', '--cache-dir': path.join(scratch, `cache-${++files}`) };
  return ['run', ...Object.entries(own).filter(([name]) => !flags.includes(name)).flat(), ...flags];
}

// Exit status 2 and, on stderr, a line that matches every pattern.
async function refused(args, ...patterns) {
  const { status, stderr } = await runToEnd(args);
  assert.equal(status, 2, `exit status ${status}: ${stderr}`);
  const lines = stderr.split('\n').filter((line) => line !== '');
  assert.ok(lines.some((line) => patterns.every((pattern) => pattern.test(line))), `no line has ${patterns}:\n${stderr}`);
}

test('--version says the version', async () => {
  const { status, stdout } = await runToEnd(['--version']);
  assert.equal(status, 0);
  assert.match(stdout, /freshet.*\d+\.\d+/);
});

test('--help names the subcommands, run --help the flags', async () => {
  const top = await runToEnd(['--help']);
  assert.equal(top.status, 0);
  for (const word of ['run', 'check']) assert.ok(top.stdout.includes(word), top.stdout);
  const run = await runToEnd(['run', '--help']);
  assert.equal(run.status, 0);
  for (const word of ['--origin', '--listen', '--cache-dir', '--memory', '--disk', '--workers', '--admin', '--config', '--set']) {
    assert.ok(run.stdout.includes(word), `${word} is not in\n${run.stdout}`);
  }
});

test('the commands that ask a running edge load neither the store nor the origin client', async () => {
  // The dynamic linker lists what it would load, and ends.
  const { stdout } = await runToEnd([], { env: { LD_TRACE_LOADED_OBJECTS: '1' } });
  assert.match(stdout, /libc\.so/);
  assert.doesNotMatch(stdout, /librocksdb|libcurl|libevent/);
});

test('run without the program that serves beside it: exit status 2 and a line that names it', () => {
  const alone = path.join(scratch, 'freshet');
  fs.copyFileSync(freshetBin, alone);
  const { status, stderr } = spawnSync(alone, runWith(), { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, new RegExp(`^freshet: cannot start ${alone}-edge\\b.*No such file`));
});

for (const [title, args, ...patterns] of [
  ['no subcommand', []],
  ['an unknown subcommand', ['walk'], /walk/],
  ['an unknown flag', ['run', '--no-such-flag'], /no-such-flag/],
  ['run without an origin', ['run', '--listen', '127.0.0.1:0'], /origin/],
  ['check without a file', ['check'], /config/],
]) {
  test(`${title}: exit status 2`, () => refused(args, ...patterns));
}

for (const [title, flags, ...patterns] of [
  ['an origin that is no URL', ['--origin', 'nonsense'], /origin/, /nonsense/],
  ['an origin of an unknown scheme', ['--origin', 'ftp://127.0.0.1'], /origin/, /ftp/],
  ['a listen address without a port', ['--listen', '127.0.0.1'], /listen/],
  ['a port out of range', ['--listen', '127.0.0.1:70000'], /listen/, /70000/],
  ['a size that is none', ['--memory', 'lots'], /memory/, /lots/],
  ['a negative number of workers', ['--workers', '-1'], /workers/],
  ['no workers', ['--workers', '0'], /workers/],
  ['an unknown setting', ['--set', 'cache.no_such=1'], /cache\.no_such/],
  ['a setting without a value', ['--set', 'cache.memory'], /cache\.memory/],
  ['a wrong duration', ['--set', 'server.head_timeout=soon'], /server\.head_timeout/, /soon/],
  ['a word that is no choice', ['--set', 'cache.set_cookie=maybe'], /cache\.set_cookie/, /maybe/],
  ['a file that is not there', ['--config', '/no/such/file.toml'], /\/no\/such\/file\.toml/],
]) {
  test(`run with ${title}: exit status 2 and a line that names it`, () => refused(runWith(...flags), ...patterns));
}

for (const [title, text, line, ...patterns] of [
  ['an unknown key', '[cache]\nmemory = "64MiB"\nmemroy = "64MiB"\n', 3, /memroy/],
  ['an unknown section', '[server]\n\n[chache]\nmemory = "64MiB"\n', 3, /chache/],
  ['a wrong value', '[server]\nhead_timeout = "soon"\n', 2, /head_timeout/],
  ['a wrong type', '[server]\n\n\nworkers = "many"\n', 4, /workers/],
  ['a syntax error', '[server]\nlisten = \n', 2],
]) {
  for (const command of ['check', 'run']) {
    test(`${command} --config with ${title}: exit status 2, file, line and reason`, async () => {
      const file = configFile(text);
      const args = command === 'check' ? ['check', '--config', file] : runWith('--config', file);
      await refused(args, new RegExp(`${file.replaceAll('.', '\\.')}:${line}\\b`), ...patterns);
    });
  }
}

test('check --config accepts a good file', async () => {
  const file = configFile(`[server]\nlisten = "127.0.0.1:0"\nworkers = 2\n\n[origin]\nurl = "${origin.url}"\n\n[cache]\nmemory = "64MiB"\n`);
  const { status, stderr } = await runToEnd(['check', '--config', file]);
  assert.equal(status, 0, stderr);
});

test('run takes its settings from the file, and a flag wins over the file', async (t) => {
  const cacheDir = path.join(scratch, 'from-file');
  const file = configFile(`
[server]
listen = "127.0.0.1:0"
[origin]
url = "http://127.0.0.1:1"
[cache]
dir = "${cacheDir}"
`);
  const edge = new Edge({ cacheDir });
  edge.args = ['run', '--config', file, '--origin', origin.url];
  t.after(() => edge.stop());
  await edge.spawn();
  expectWhole(await edge.get('/'), 200, 'x');
  expectHit(await edge.get('/'));
});

test('an origin alone is enough: every other setting has a default', async (t) => {
  const edge = new Edge({});
  edge.args = ['run', '--origin', origin.url, '--listen', '127.0.0.1:0', '--cache-dir', edge.cacheDir];
  t.after(() => edge.stop());
  await edge.spawn();
  expectWhole(await edge.get('/'), 200, 'x');
});

test('a port that another program listens on: exit status 2 and a line that names it', async (t) => {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address();
  await refused(runWith('--listen', `127.0.0.1:${port}`), new RegExp(String(port)));
});

test('a port that another edge listens on, which would share it silently: exit status 2', async (t) => {
  const edge = await Edge.start({ origin: origin.url });
  t.after(() => edge.stop());
  await refused(runWith('--listen', `127.0.0.1:${edge.port}`), new RegExp(String(edge.port)));
});

test('a cache directory that cannot be made: exit status 2 and a line that names it', async () => {
  const file = path.join(scratch, 'a-file');
  fs.writeFileSync(file, '');
  await refused(runWith('--cache-dir', path.join(file, 'below')), /a-file/);
});

test('a cache directory that may not be read: exit status 2 and a line that names it', async () => {
  const directory = path.join(scratch, 'unreadable');
  fs.mkdirSync(directory, { mode: 0o000 });
  // Root may read everything, so another user asks.
  const nobody = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
  const { status, stderr } = await runToEnd(runWith('--cache-dir', directory), nobody);
  assert.equal(status, 2, stderr);
  assert.ok(stderr.includes('unreadable'), stderr);
});

test('--admin opens the admin plane on TCP as well', async (t) => {
  const edge = await Edge.start({ origin: origin.url, flags: ['--admin', '127.0.0.1:0'] });
  t.after(() => edge.stop());
  const line = await edge.logLine(/admin.*127\.0\.0\.1:\d+/);
  const [, port] = /admin.*127\.0\.0\.1:(\d+)/.exec(line);
  const response = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.equal(response.status, 200);
});

// What glibc reads before main() can only be told by who starts the program.
test('the edge keeps freed memory at hand for its threads, unless the operator says otherwise', async (t) => {
  for (const [given, expected] of [[undefined, 'glibc.malloc.tcache_count=64'], ['glibc.malloc.tcache_count=9', 'glibc.malloc.tcache_count=9']]) {
    const edge = await Edge.start({ origin: origin.url, env: given ? { GLIBC_TUNABLES: given } : {} });
    t.after(() => edge.stop());
    const told = fs.readFileSync(`/proc/${edge.pid}/environ`, 'latin1').split('\0').filter((each) => each.startsWith('GLIBC_TUNABLES='));
    assert.deepEqual(told, [`GLIBC_TUNABLES=${expected}`]);
  }
});
