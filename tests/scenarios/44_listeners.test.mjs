// Where clients connect: several addresses, IPv6, unix sockets, sockets that the service manager passes; and how connections fall over the workers.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Edge, freshetBin, root, runToEnd, temporaryDirectory } from '../support/edge.mjs';
import { Lab, ownLab } from '../support/lab.mjs';
import { Origin } from '../support/origin.mjs';
import { freePort } from '../support/ports.mjs';
import { line } from '../support/proxy_header.mjs';
import { RawClient, fetchRaw } from '../support/raw_client.mjs';
import { eventually, within } from '../support/waiting.mjs';

const run = promisify(execFile);
const passSockets = path.join(path.dirname(fileURLToPath(import.meta.url)), '../support/pass_sockets.py');
const fresh = { 'Cache-Control': 'max-age=60' };
let folder;
let files = 0;
before(() => { folder = temporaryDirectory('freshet-listen-'); });
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const socketPath = () => path.join(folder, `${++files}.sock`);
const curl = async (...args) => (await run('curl', ['-sS', '--noproxy', '*', ...args])).stdout;
const portOf = (where) => Number(/:(\d+)$/.exec(where)[1]);

function hasIPv6() {
  return new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(false));
    server.listen(0, '::1', () => server.close(() => resolve(true)));
  });
}

test('several addresses, each served; the line that says ready names them all', async (t) => {
  const file = socketPath();
  const lab = await ownLab(t, { listen: `127.0.0.1:0,unix:${file},127.0.0.2:0,127.0.0.1:0 proxy_protocol` });
  lab.origin.on('/x', { fields: fresh, body: 'hello' });
  const [first, unix, second, proxied] = lab.edge.listening;
  assert.match(first, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(unix, `http on unix:${file}`);
  assert.match(second, /^http:\/\/127\.0\.0\.2:\d+$/);
  assert.equal(await curl(`${first}/x`), 'hello');
  assert.equal(await curl(`${second}/x`), 'hello');
  assert.equal(await curl('--unix-socket', file, 'http://a.test/x'), 'hello');
  assert.equal(await curl('--haproxy-protocol', `${proxied}/x`), 'hello');
});

test('IPv6: alone by v6only, else both families; the client has its address', async (t) => {
  if (!await hasIPv6()) return void t.skip('there is no IPv6 here');
  const lab = await ownLab(t, { listen: '[::]:0,[::]:0 v6only,[::1]:0' });
  lab.origin.on('/x', (request, reply) => reply.send(200, {}, request.field('forwarded')));
  const [both, alone, one] = lab.edge.listening.map(portOf);
  assert.match(lab.edge.listening[2], /^http:\/\/\[::1\]:\d+$/);
  for (const port of [both, alone, one]) assert.match(await curl(`http://[::1]:${port}/x`), /^for="\[::1\]"/);
  assert.match(await curl(`http://127.0.0.1:${both}/x`), /^for=127\.0\.0\.1;/);
  for (const port of [alone, one]) await assert.rejects(curl(`http://127.0.0.1:${port}/x`), (error) => error.code === 7);
  await lab.edge.accessLine((record) => record.client === '::1', 3);
});

test('a unix socket: permissions, the client, PURGE by the word unix alone, gone at the end', async () => {
  const file = socketPath();
  const open = socketPath();
  const lab = await new Lab({ listen: `unix:${file},unix:${open} mode=0666` }).open();
  lab.origin.on('/x', (request, reply) => reply.send(200, {}, `${request.field('x-forwarded-for')} ${request.field('forwarded')}`));
  assert.equal(fs.statSync(file).mode & 0o777, 0o660);
  assert.equal(fs.statSync(open).mode & 0o777, 0o666);
  assert.match(await curl('--unix-socket', file, 'http://a.test/x'), /^unix for=unknown;/);
  await lab.edge.accessLine((record) => record.client === 'unix');
  const purge = (...args) => curl('-X', 'PURGE', '-o', '/dev/null', '-w', '%{http_code}', ...args, 'http://a.test/x');
  assert.equal(await purge('--unix-socket', file), '403');
  await lab.close();
  for (const each of [file, open]) assert.equal(fs.existsSync(each), false);

  const trusting = await new Lab({ listen: `unix:${file}`, settings: { 'purge.allow': 'unix,198.51.100.0/24', 'server.trusted_proxies': 'unix' } }).open();
  try {
    trusting.origin.on('/x', (request, reply) => reply.send(200, {}, request.field('x-forwarded-for')));
    assert.equal(await purge('--unix-socket', file), '200');
    // With X-Forwarded-For it is the proxy's client who asks.
    assert.equal(await purge('--unix-socket', file, '-H', 'X-Forwarded-For: 198.51.100.1'), '200');
    assert.equal(await purge('--unix-socket', file, '-H', 'X-Forwarded-For: 192.0.2.1'), '403');
    assert.equal(await curl('--unix-socket', file, '-H', 'X-Forwarded-For: 192.0.2.1', 'http://a.test/x'), '192.0.2.1, unix');
  } finally {
    await trusting.close();
  }
});

test('a PROXY header on a unix socket', async (t) => {
  const file = socketPath();
  const lab = await ownLab(t, { listen: `unix:${file} proxy_protocol` });
  lab.origin.on('/x', (request, reply) => reply.send(200, {}, request.field('x-forwarded-for')));
  const client = await RawClient.connect(undefined, { path: file });
  assert.equal((await client.send(line('203.0.113.5')).request('/x', { host: 'a.test' }).response()).text, '203.0.113.5');
  client.close();
});

test('a left-over socket is replaced, after kill -9 too; one that is served, and a file, are refused', async (t) => {
  const file = socketPath();
  const lab = await ownLab(t, { listen: `unix:${file}` });
  lab.origin.on('/x', { body: 'hello' });
  const again = await runToEnd(['run', '--origin', lab.origin.url, '--listen', `unix:${file}`, '--cache-dir', path.join(folder, 'other')]);
  assert.equal(again.status, 2);
  assert.match(again.stderr, new RegExp(`^freshet: server\\.listen: cannot listen on unix:${file}: address already in use`, 'm'));
  assert.equal(await curl('--unix-socket', file, 'http://a.test/x'), 'hello');
  await lab.edge.kill();
  assert.ok(fs.existsSync(file));
  await lab.edge.spawn();
  assert.equal(await curl('--unix-socket', file, 'http://a.test/x'), 'hello');
  const precious = path.join(folder, 'precious');
  fs.writeFileSync(precious, 'x');
  const refused = await runToEnd(['run', '--origin', lab.origin.url, '--listen', `unix:${precious}`, '--cache-dir', path.join(folder, 'other')]);
  assert.equal(refused.status, 2);
  assert.equal(fs.readFileSync(precious, 'utf8'), 'x');
});

for (const [what, flags, reason] of [
  ['IPv4 beside a socket that takes both', ['--listen', '0.0.0.0:80,[::]:80'], 'server.listen: [::]:80 takes IPv4 too, so 0.0.0.0:80 cannot stand beside it; write "[::]:80 v6only"'],
  ['an address twice', ['--listen', '127.0.0.1:80,127.0.0.1:80'], 'server.listen: 127.0.0.1:80 is named twice'],
  ['no address', ['--listen', ''], 'server.listen: names no address, and tls.listen none either'],
  ['an unknown word', ['--listen', 'unix:/x mode=rw'], '--listen: "unix:/x mode=rw" has no mode such as 0660'],
  ['nothing was passed', ['--listen', 'systemd:http'], 'server.listen: no socket was passed as "http" (LISTEN_FDS, LISTEN_FDNAMES)'],
]) {
  test(`start-up error: ${what}`, async () => {
    const done = await runToEnd(['run', '--origin', 'http://127.0.0.1:1', '--cache-dir', path.join(folder, 'none'), ...flags]);
    assert.equal(done.status, 2);
    assert.equal(done.stderr, `freshet: ${reason}\n`);
  });
}

test('in a file, the error names file and line', async () => {
  const file = path.join(folder, 'freshet.toml');
  fs.writeFileSync(file, '[origin]\nurl = "http://127.0.0.1:1"\n[server]\nlisten = [\n  "127.0.0.1:80",\n  "[::]:80 quick",\n]\nproxy_protocol_from = ["anywhere"]\npin_workers = 1\n');
  const done = await runToEnd(['check', '--config', file]);
  assert.equal(done.status, 2);
  assert.match(done.stderr, /freshet\.toml:4: server\.listen: '\[::\]:80 quick': port is not a number/);
  assert.match(done.stderr, /freshet\.toml:8: server\.proxy_protocol_from: "anywhere" is not an address or network/);
  assert.match(done.stderr, /freshet\.toml:9: server\.pin_workers: is an integer, not true or false/);
});

test('sockets that the service manager passes, by name', async (t) => {
  const [a, b, c] = [await freePort(), await freePort(), await freePort()];
  const wrap = ['python3', passSockets, `http=127.0.0.1:${a}`, `internal=127.0.0.1:${b}`, `http=127.0.0.1:${c}`, '--'];
  const lab = await ownLab(t, { wrap, listen: 'systemd:http,systemd:internal proxy_protocol' });
  lab.origin.on('/x', { body: 'hello' });
  assert.deepEqual(lab.edge.listening, [a, c, b].map((port) => `http://127.0.0.1:${port}`));
  for (const port of [a, c]) assert.equal(await curl(`http://127.0.0.1:${port}/x`), 'hello');
  assert.equal(await curl('--haproxy-protocol', `http://127.0.0.1:${b}/x`), 'hello');
});

test('a passed socket that no listener names is an error, and so are names that do not fit', async () => {
  const start = (...words) => run('python3', [passSockets, `https=127.0.0.1:${words[0]}`, '--', ...words.slice(1), freshetBin, 'run',
    '--origin', 'http://127.0.0.1:1', '--listen', '127.0.0.1:0', '--cache-dir', path.join(folder, 'none')]);
  await assert.rejects(start(await freePort()), (error) => error.code === 2
    && error.stderr === 'freshet: server.listen: a socket was passed as "https", and neither it nor tls.listen names systemd:https\n');
  await assert.rejects(start(await freePort(), 'env', 'LISTEN_FDNAMES=a:b'), (error) => error.code === 2
    && error.stderr === 'freshet: LISTEN_FDNAMES does not have as many names as LISTEN_FDS says\n');
});

const activate = '/usr/bin/systemd-socket-activate';
test('systemd-socket-activate starts it at the first connection, which is answered', { skip: !fs.existsSync(activate) && 'systemd-socket-activate is not installed' }, async () => {
  const origin = await Origin.start();
  origin.on('/x', { body: 'hello' });
  const port = await freePort();
  const kept = ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS'].flatMap((name) => ['-E', name]);
  const edge = new Edge({ origin: origin.url, listen: 'systemd:web', wrap: [activate, '-l', `127.0.0.1:${port}`, '--fdname=web', ...kept] });
  const ready = edge.spawn();
  ready.catch(() => {});
  try {
    const response = await eventually(() => fetchRaw(port, '/x', { host: 'a.test' }).catch(() => false), 'the first connection to be taken');
    assert.equal(response.text, 'hello');
    await ready;
    assert.deepEqual(edge.listening, [`http://127.0.0.1:${port}`]);
  } finally {
    await edge.stop();
    await origin.stop();
  }
});

test('the units in deploy/systemd are well-formed, and what they name is what the settings say', { skip: !fs.existsSync('/usr/bin/systemd-analyze') && 'systemd-analyze is not installed' }, async () => {
  const units = path.join(root, 'deploy/systemd');
  const copies = fs.mkdtempSync(path.join(folder, 'units-'));
  for (const name of fs.readdirSync(units)) {
    const text = fs.readFileSync(path.join(units, name), 'utf8');
    fs.writeFileSync(path.join(copies, name), text.replaceAll('=/usr/bin/freshet ', `=${freshetBin} `));
  }
  const { stderr } = await run('systemd-analyze', ['verify', ...fs.readdirSync(copies).map((name) => path.join(copies, name))]);
  assert.equal(stderr.split('\n').filter((text) => text.includes(copies)).join('\n'), '');
});

test('the service manager is told when it is ready and when it stops', async () => {
  const file = socketPath();
  const manager = spawn('python3', ['-uc', 'import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint("bound")\nwhile True: print(s.recv(100).decode())', file]);
  let heard = '';
  manager.stdout.setEncoding('utf8').on('data', (text) => { heard += text; });
  try {
    await eventually(() => heard === 'bound\n', 'the manager');
    const lab = await new Lab({ env: { NOTIFY_SOCKET: file } }).open();
    await eventually(() => heard === 'bound\nREADY=1\n', () => `READY=1, not ${heard}`);
    await lab.close();
    await eventually(() => heard === 'bound\nREADY=1\nSTOPPING=1\n', () => `STOPPING=1, not ${heard}`);
  } finally {
    manager.kill('SIGKILL');
  }
});

test('the soft limit on descriptors is raised to the hard one', async (t) => {
  const lab = await ownLab(t, { wrap: ['prlimit', '--nofile=256:4000'] });
  assert.match(fs.readFileSync(`/proc/${lab.edge.pid}/limits`, 'latin1'), /^Max open files\s+4000\s+4000\s/m);
  await lab.edge.logLine(/the limit on open descriptors is 4000, too low for server\.max_connections, 10000/);
});

// The kernel alone gives 32 connections 18 : 14 to two workers, or worse.
for (const [what, listen] of [['a port', '127.0.0.1:0'], ['a single queue', undefined]]) {
  test(`connections fall evenly over the workers: ${what}`, async (t) => {
    const file = socketPath();
    const lab = await ownLab(t, { listen: listen ?? `unix:${file}`, workers: 3 });
    lab.origin.on('/x', { fields: fresh, body: 'x' });
    const clients = await Promise.all(Array.from({ length: 31 }, () => RawClient.connect(lab.edge.port, listen ? {} : { path: file })));
    for (const client of clients) assert.equal((await client.request('/x', { host: 'a.test' }).response()).text, 'x');
    const metrics = await lab.edge.metrics();
    assert.equal(metrics.sum('freshet_worker_connections_most'), 11);
    assert.equal(metrics.sum('freshet_worker_connections_least'), 10);
    for (const client of clients) client.close();
    await lab.edge.metricsWhen((m) => m.sum('freshet_worker_connections_most') === 0, 'all connections gone');
  });
}

test('pinned workers stay on their cores', async (t) => {
  const lab = await ownLab(t, { workers: 2, settings: { 'server.pin_workers': 'true' } });
  const cores = (status) => /^Cpus_allowed_list:\s+(\S+)$/m.exec(status)[1];
  // A worker has its name once it is pinned.
  const workers = await eventually(() => {
    const tasks = fs.readdirSync(`/proc/${lab.edge.pid}/task`).map((id) => fs.readFileSync(`/proc/${lab.edge.pid}/task/${id}/status`, 'latin1'));
    const found = tasks.filter((status) => /^Name:\tworker-/.test(status)).map(cores);
    return found.length === 2 && found;
  }, 'two workers');
  for (const each of workers) assert.match(each, /^\d+$/);
  const all = cores(fs.readFileSync('/proc/self/status', 'latin1'));
  if (/\D/.test(all)) assert.notEqual(workers[0], workers[1]);
});

test('G10: connections in the queues are answered at the end, whichever worker accepts them', async () => {
  const file = socketPath();
  const lab = await new Lab({ listen: `127.0.0.1:0,unix:${file}`, workers: 3 }).open();
  lab.origin.on('/x', { fields: fresh, body: 'x' });
  await lab.get('/x');
  const asked = Array.from({ length: 60 }, (_, i) => new Promise((resolve, reject) => {
    const where = i % 2 ? { socketPath: file } : { port: lab.edge.port };
    http.get({ ...where, path: '/x', headers: { Host: 'a.test' }, agent: false }, (response) => response.resume().once('end', () => resolve(response.statusCode))).once('error', reject)
      .once('socket', (socket) => socket.once('connect', () => connected()));
  }));
  let up = 0;
  let all;
  const everybody = new Promise((resolve) => { all = resolve; });
  function connected() { if (++up === 60) all(); }
  await within(everybody, '60 connections');
  const closed = lab.close();
  assert.deepEqual(await Promise.all(asked), Array(60).fill(200));
  await closed;
});
