// The program on disk takes over from a running edge: no request fails, no purge is lost, what was stored is there, what was being sent is sent to
// its end; and where the next process cannot take over, nothing has happened.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';

import { freshetBin, temporaryDirectory } from '../support/edge.mjs';
import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab } from '../support/lab.mjs';
import { notOverTls } from '../support/protocol.mjs';
import { eventually } from '../support/waiting.mjs';

const plain = notOverTls('the clients here are in clear, and what is upgraded is the same');
const stored = { 'Cache-Control': 'max-age=600', ETag: '"a"' };

async function expectUpgraded(edge, bin) {
  const before = edge.pid;
  const { status, stdout, stderr } = await edge.upgrade(bin);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^upgraded: process \d+ serves\n$/);
  assert.notEqual(edge.pid, before);
}

function admin(edge, target, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { socketPath: path.join(edge.cacheDir, 'admin.sock'), path: target, method: 'POST', agent: false, headers: { 'Content-Type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => resolve({ status: response.statusCode, text }));
      });
    request.once('error', reject);
    request.end(JSON.stringify(body));
  });
}

// Asks on and on until stop(); over kept connections, or a new one for each.
function hammer(edge, agent, targets) {
  const result = { requests: 0, failed: [] };
  let going = true;
  const one = (target) => new Promise((resolve) => {
    const fail = (why) => { result.failed.push(`${target}: ${why}`); resolve(); };
    const request = http.get({ port: edge.port, host: '127.0.0.1', path: target, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => { text += part; });
      response.once('error', (error) => fail(error.message));
      response.once('end', () => {
        if (response.statusCode !== 200 || !text.startsWith(`body of ${target} `)) return fail(`${response.statusCode} ${text.slice(0, 80)}`);
        return resolve();
      });
    });
    request.once('error', (error) => fail(error.message));
  });
  const running = (async () => {
    for (let i = 0; going; ++i) {
      await one(targets[i % targets.length]);
      ++result.requests;
    }
  })();
  return { result, stop: async () => { going = false; await running; return result; } };
}

test('five upgrades under load: no request fails, over kept connections and new ones', plain, async (t) => {
  const lab = await ownLab(t);
  const targets = Array.from({ length: 40 }, (_, i) => `/h-${i}`);
  for (const target of targets) lab.origin.on(target, { fields: stored, body: `body of ${target} ${'x'.repeat(3000)}` });
  const kept = new http.Agent({ keepAlive: true, maxSockets: 64 });
  t.after(() => kept.destroy());
  const clients = [kept, kept, kept, kept, false, false].map((agent) => hammer(lab.edge, agent, targets));
  for (let i = 0; i < 5; ++i) {
    const done = clients.map((client) => client.result.requests);
    await expectUpgraded(lab.edge);
    await eventually(() => clients.every((client, c) => client.result.requests > done[c] + 50), () => 'each client to be served on');
  }
  const results = await Promise.all(clients.map((client) => client.stop()));
  assert.deepEqual(results.flatMap((result) => result.failed), []);
});

test('what was stored is a hit after an upgrade, and after another', plain, async (t) => {
  const lab = await ownLab(t);
  const targets = Array.from({ length: 30 }, () => lab.path());
  const large = Buffer.alloc(1_500_000, 'large ').toString();
  for (const target of targets) {
    lab.origin.on(target, { fields: stored, body: target === targets[0] ? large : target });
    await lab.store(target);
  }
  for (let i = 0; i < 2; ++i) {
    await expectUpgraded(lab.edge);
    for (const target of targets) {
      const response = await lab.get(target);
      expectHit(response);
      expectWhole(response, 200, target === targets[0] ? large : target);
    }
  }
  for (const target of targets) assert.equal(lab.origin.requestsFor(target).length, 1);
});

test('a slow download from disk goes on, through two upgrades, to its end', plain, async (t) => {
  const lab = await ownLab(t, { settings: { 'cache.memory': '1MiB', 'cache.disk': '256MiB' } });
  const target = lab.path();
  const body = Buffer.alloc(24_000_000, (() => { const some = Buffer.alloc(65_537); for (let i = 0; i < some.length; ++i) some[i] = i % 251; return some; })());
  lab.origin.on(target, { fields: stored, body });
  await lab.store(target);
  const clients = await Promise.all([lab.connect(), lab.connect()]);
  const open = [];
  for (const client of clients) {
    client.request(target);
    const response = await client.responseHead();
    client.pause();
    open.push([client, response]);
  }
  await expectUpgraded(lab.edge);
  await expectUpgraded(lab.edge);
  expectHit(await lab.get(target));
  for (const [client, response] of open) {
    client.resume();
    await client.finishBody(response);
    assert.ok(response.complete);
    assert.ok(response.body.equals(body));
  }
  assert.equal(lab.origin.requestsFor(target).length, 1);
});

test('a slow download that the origin is still sending goes on to its end', plain, async (t) => {
  const lab = await ownLab(t);
  const target = lab.path();
  let reply;
  lab.origin.on(target, (request, given) => {
    reply = given;
    given.write('HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\nCache-Control: max-age=600\r\nETag: "a"\r\n\r\n');
    given.write(Buffer.alloc(1_000_000, 'a'));
  });
  const client = await lab.connect();
  client.request(target);
  const response = await client.responseHead();
  await expectUpgraded(lab.edge);
  reply.write(Buffer.alloc(1_000_000, 'b'));
  await client.finishBody(response);
  assert.ok(response.complete);
  assert.ok(response.body.equals(Buffer.concat([Buffer.alloc(1_000_000, 'a'), Buffer.alloc(1_000_000, 'b')])));
});

test('G4: a purge that is acknowledged during an upgrade is in effect, in the process after it, and after a kill', plain, async (t) => {
  const lab = await ownLab(t);
  const target = lab.path();
  let version = 0;
  lab.origin.on(target, (request, reply) => reply.send(200, stored, `${version}`));
  await lab.store(target);
  let upgrading = true;
  let acknowledged = 0;
  let durable = 0;
  const purging = (async () => {
    while (upgrading || acknowledged === 0) {
      ++version;
      const { status } = await admin(lab.edge, '/v1/invalidate', { urls: [`${lab.edge.url}${target}`] });
      ++acknowledged;
      if (status !== 200) continue;
      ++durable;
      const seen = Number((await lab.get(target)).text);
      assert.ok(seen >= version, `${seen} was served after version ${version} was purged`);
    }
  })();
  for (let i = 0; i < 3; ++i) await expectUpgraded(lab.edge);
  upgrading = false;
  await purging;
  assert.ok(durable > 0);
  ++version;
  assert.equal((await admin(lab.edge, '/v1/invalidate', { urls: [`${lab.edge.url}${target}`] })).status, 200);
  process.kill(lab.edge.pid, 'SIGKILL');
  await lab.edge.exited;
  lab.edge.upgraded = undefined;
  await lab.edge.spawn();
  assert.equal((await lab.get(target)).text, `${version}`);
});

test('an unsafe method on a kept connection of the old process invalidates in the new one; a PURGE there is not acknowledged', plain, async (t) => {
  const lab = await ownLab(t);
  const target = lab.path();
  lab.origin.on(target, { fields: stored, body: 'x' });
  const [posting, purging, asking] = await Promise.all([lab.connect(), lab.connect(), lab.connect()]);
  for (const client of [posting, purging, asking]) expectWhole(await client.request(target).response(), 200, 'x');
  await expectUpgraded(lab.edge);
  const host = `127.0.0.1:${lab.edge.port}`;
  expectHit(await lab.get(target, { host }));
  const posted = await posting.request(target, { method: 'POST', host, body: 'p', fields: { 'Content-Length': '1' } }).response();
  assert.equal(posted.status, 200);
  assert.match(posted.field('connection') ?? '', /close/);
  expectForwarded(await lab.get(target, { host }), 'uri-miss');
  expectHit(await lab.get(target, { host }));
  const purged = await purging.request(target, { method: 'PURGE', host }).response();
  assert.equal(purged.status, 503);
  expectHit(await lab.get(target, { host }));
  const before = lab.origin.requestsFor(target).length;
  const asked = await asking.request(target, { host }).response();
  expectWhole(asked, 200, 'x');
  assert.equal(lab.origin.requestsFor(target).length, before + 1, 'the old process reuses nothing');
});

test('a mistake in the configuration: the upgrade is refused with its place, and the edge goes on', plain, async (t) => {
  const directory = temporaryDirectory();
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'freshet.toml');
  fs.writeFileSync(file, '[server]\nidle_timeout = "60s"\n');
  const lab = await ownLab(t, { flags: ['--config', file] });
  const target = lab.path();
  lab.origin.on(target, { fields: stored, body: 'x' });
  const client = await lab.connect();
  await client.request(target).response();
  fs.writeFileSync(file, '[server]\nidle_timeuot = "60s"\n');
  const pid = lab.edge.pid;
  const { status, stdout, stderr } = await lab.edge.upgrade();
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /not upgraded, the running edge goes on: .*freshet\.toml:2/);
  assert.equal(lab.edge.pid, pid);
  expectHit(await client.request(target).response());
  expectHit(await lab.get(target));
  fs.writeFileSync(file, '[server]\nidle_timeout = "50s"\n');
  await expectUpgraded(lab.edge);
  expectHit(await lab.get(target));
});

test('a program that ends before it is ready: the edge goes on', plain, async (t) => {
  const directory = temporaryDirectory();
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const bin = path.join(directory, 'freshet');
  const edgeBin = path.join(directory, 'freshet-edge');
  const install = () => {
    for (const name of ['freshet', 'freshet-edge']) {
      fs.copyFileSync(path.join(path.dirname(freshetBin), name), path.join(directory, `${name}.new`));
      fs.renameSync(path.join(directory, `${name}.new`), path.join(directory, name));
    }
  };
  install();
  const lab = await ownLab(t, { bin });
  const target = lab.path();
  lab.origin.on(target, { fields: stored, body: 'x' });
  await lab.store(target);
  fs.renameSync(edgeBin, `${edgeBin}.old`);
  for (const [program, why] of [['#!/bin/sh\nexit 1\n', /ended before it was ready/], ['no program', /cannot start .*freshet-edge/]]) {
    fs.writeFileSync(edgeBin, program, { mode: 0o755 });
    const { status, stderr } = await lab.edge.upgrade(bin);
    assert.equal(status, 1);
    assert.match(stderr, why);
    expectHit(await lab.get(target));
  }
  fs.rmSync(edgeBin);
  install();
  await expectUpgraded(lab.edge, bin);
  expectHit(await lab.get(target));
});

test('the new process dies between taking over and opening the store: it is started again', plain, async (t) => {
  const directory = temporaryDirectory();
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const bin = path.join(directory, 'freshet');
  const real = path.join(directory, 'freshet-real');
  const edgeBin = path.join(directory, 'freshet-edge');
  fs.copyFileSync(freshetBin, bin);
  fs.copyFileSync(path.join(path.dirname(freshetBin), 'freshet-edge'), edgeBin);
  const lab = await ownLab(t, { bin });
  const target = lab.path();
  lab.origin.on(target, { fields: stored, body: 'x' });
  await lab.store(target);
  fs.renameSync(edgeBin, real);
  const said = path.join(directory, 'said');
  fs.writeFileSync(edgeBin, `#!/usr/bin/env python3
import os, socket, sys
if os.path.exists('${said}'):
    os.execv('${real}', sys.argv)
open('${said}', 'w').close()
channel = socket.socket(fileno=3)
while channel.recv(65536) != b'all': pass
channel.send(b'ready')
while channel.recv(65536) != b'go': pass
`, { mode: 0o755 });
  await expectUpgraded(lab.edge, bin);
  expectHit(await lab.get(target));
  assert.equal(lab.edge.log.filter((line) => /starting again/.test(line)).length, 1);
});

test('the old process is killed while it sends what it has accepted: the new one serves', plain, async (t) => {
  const lab = await ownLab(t);
  const target = lab.path();
  lab.origin.on(target, { fields: stored, body: Buffer.alloc(8_000_000, 'x') });
  const client = await lab.connect();
  client.request(target);
  await client.responseHead();
  client.pause();
  await expectUpgraded(lab.edge);
  lab.edge.killed = lab.edge.child.kill('SIGKILL');
  expectHit(await lab.get(target));
  await expectUpgraded(lab.edge);
  expectHit(await lab.get(target));
});

test('unix sockets and the admin plane go over too', plain, async (t) => {
  const directory = temporaryDirectory();
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const socketPath = path.join(directory, 'http.sock');
  const lab = await ownLab(t, { listen: `127.0.0.1:0,unix:${socketPath}` });
  const target = lab.path();
  lab.origin.on(target, { fields: stored, body: 'x' });
  const ask = () => new Promise((resolve, reject) => {
    http.get({ socketPath, path: target, agent: false, headers: { Host: 'a.example' } }, (response) => {
      response.resume().once('end', () => resolve(response.headers['cache-status']));
    }).once('error', reject);
  });
  await ask();
  for (let i = 0; i < 2; ++i) {
    await expectUpgraded(lab.edge);
    assert.match(await ask(), /hit/);
    assert.equal((await lab.edge.admin('/readyz')).status, 200);
  }
});
