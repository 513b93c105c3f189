// A new configuration for a running edge: applied whole to what comes from now on, or refused whole; and nobody sees a failed request.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { Certificates } from '../support/certificates.mjs';
import { Edge, runToEnd, temporaryDirectory } from '../support/edge.mjs';
import { Origin } from '../support/origin.mjs';
import { freePort } from '../support/ports.mjs';
import { notOverHttp2, notOverTls } from '../support/protocol.mjs';
import { RawClient, fetchRaw } from '../support/raw_client.mjs';
import { connectTls } from '../support/tls_client.mjs';
import { eventually } from '../support/waiting.mjs';

const fresh = { 'Cache-Control': 'max-age=600' };
const hasKey = (response) => /key=/.test(response.field('cache-status') ?? '');
let folder;
let files = 0;
before(() => { folder = temporaryDirectory('freshet-reload-'); });
after(() => fs.rmSync(folder, { recursive: true, force: true }));

// An edge that has its configuration from a file, and that file.
async function configured(t, text, options = {}) {
  const file = path.join(folder, `${++files}.toml`);
  const write = (words) => fs.writeFileSync(file, words);
  write(text);
  const origin = await Origin.start();
  const edge = await Edge.start({ origin: options.ownOrigin ? undefined : origin.url, flags: ['--config', file], ...options }).catch(async (error) => {
    await origin.stop();
    throw error;
  });
  t.after(async () => {
    await edge.stop();
    await origin.stop();
  });
  const reload = (...words) => runToEnd(['reload', '--cache-dir', edge.cacheDir, ...words]);
  const apply = async (words) => {
    write(words);
    const done = await reload();
    assert.deepEqual([done.status, done.stderr], [0, '']);
    return done.stdout;
  };
  return { file, write, origin, edge, reload, apply };
}

test('what has changed holds for the next request of a connection that stands', async (t) => {
  const { edge, origin, apply } = await configured(t, '[cache]\nstatus_key = false\n');
  origin.on('/x', { fields: fresh, body: 'hello' });
  const client = await edge.connect();
  t.after(() => client.close());
  await client.request('/x').response();
  assert.equal(hasKey(await client.request('/x').response()), false);
  assert.equal(await apply('[cache]\nstatus_key = true\n'), 'reloaded: cache.status_key\n');
  const next = await client.request('/x').response();
  assert.equal(next.text, 'hello');
  assert.equal(hasKey(next), true);
  assert.equal(await apply('[cache]\nstatus_key = true\n'), 'reloaded: no setting has changed\n');
});

test('a request in progress goes on with what it began with', async (t) => {
  const { edge, origin, apply } = await configured(t, '[cache]\nstatus_key = false\n');
  const asked = new Promise((resolve) => { origin.on('/slow', (request, reply) => resolve(reply)); });
  const client = await edge.connect();
  t.after(() => client.close());
  const response = client.request('/slow').response();
  const reply = await asked;
  await apply('[cache]\nstatus_key = true\n');
  reply.send(200, fresh, 'late');
  assert.equal(hasKey(await response), false);
  assert.equal(hasKey(await client.request('/slow').response()), true);
});

test('limits of a request\'s head, and who is believed, change for connections that stand', async (t) => {
  const { edge, origin, apply } = await configured(t, '[server]\ntrusted_proxies = []\n');
  origin.on('/x', (request, reply) => reply.send(200, { 'Cache-Control': 'no-store' }, request.field('x-forwarded-for')));
  const client = await edge.connect();
  t.after(() => client.close());
  const forwarded = () => client.request('/x', { fields: { 'X-Forwarded-For': '203.0.113.7' } }).response();
  assert.doesNotMatch((await forwarded()).text, /203\.0\.113\.7/);
  await apply('[server]\ntrusted_proxies = ["127.0.0.1"]\nmax_field = 300\n');
  assert.match((await forwarded()).text, /203\.0\.113\.7/);
  assert.equal((await client.request('/x', { fields: { 'X-Long': 'x'.repeat(400) } }).response()).status, 431);
});

test('a file with mistakes is refused whole, and each is told with its line', async (t) => {
  const { edge, origin, write, reload, apply } = await configured(t, '[cache]\nstatus_key = false\n');
  origin.on('/x', { fields: fresh, body: 'hello' });
  write('[cache]\nstatus_key = true\nheuristic_max = "soon"\n[server]\nidle_time = "1s"\n');
  const refused = await reload();
  assert.equal(refused.status, 1);
  assert.equal(refused.stdout, '');
  assert.match(refused.stderr, /^freshet: .*\.toml:3:.*cache\.heuristic_max: /m);
  assert.match(refused.stderr, /^freshet: .*\.toml:5:.*server\.idle_time: .*did you mean server\.idle_timeout\?/m);
  assert.match(refused.stderr, /^freshet: refused; what was read before stays in use$/m);
  await edge.logLine(/reload: .*\.toml:3:.*cache\.heuristic_max/);
  await edge.logLine(/reload: .*\.toml:5:.*server\.idle_time/);
  await edge.logLine(/reload, asked for by uid \d+ \(admin plane\): refused/);
  assert.equal(hasKey(await edge.get('/x')), false);
  const metrics = await edge.metrics();
  assert.equal(metrics.sum('freshet_config_reloads_total', { result: 'refused' }), 1);
  assert.equal(metrics.sum('freshet_config_reloads_total', { result: 'applied' }), 0);
  const since = metrics.sum('freshet_config_last_reload_success_timestamp_seconds');
  await apply('[cache]\nstatus_key = true\n');
  assert.equal(hasKey(await edge.get('/x')), true);
  const later = await edge.metrics();
  assert.equal(later.sum('freshet_config_reloads_total', { result: 'applied' }), 1);
  assert.ok(later.sum('freshet_config_last_reload_success_timestamp_seconds') > since);
});

test('what only a restart changes is refused, with all that would have changed beside it', async (t) => {
  const { edge, origin, write, reload } = await configured(t, '[cache]\nmemory = "64MiB"\n');
  origin.on('/x', { fields: fresh, body: 'hello' });
  write('[cache]\nmemory = "32MiB"\nloss_bound = "5s"\nstatus_key = true\n');
  const refused = await reload();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /cache\.memory: changes with a restart alone \(64M now, 32M in the configuration\)/);
  assert.match(refused.stderr, /cache\.loss_bound: changes with a restart alone/);
  assert.equal(hasKey(await edge.get('/x')), false);
});

test('what the command line says wins over the file, as at the start', async (t) => {
  const { edge, origin, apply } = await configured(t, '', { settings: { 'cache.status_key': 'false' } });
  origin.on('/x', { fields: fresh, body: 'hello' });
  assert.equal(await apply('[cache]\nstatus_key = true\n'), 'reloaded: no setting has changed\n');
  assert.equal(hasKey(await edge.get('/x')), false);
});

test('SIGHUP does the same', async (t) => {
  const { edge, origin, write } = await configured(t, '');
  origin.on('/x', { fields: fresh, body: 'hello' });
  write('[cache]\nstatus_key = true\n');
  edge.child.kill('SIGHUP');
  await edge.logLine(/reload, asked for by SIGHUP: applied; cache\.status_key/);
  assert.equal(hasKey(await edge.get('/x')), true);
});

test('a listener is added and another removed, whose connections go on', async (t) => {
  const [first, second] = [await freePort(), await freePort()];
  const { edge, origin, apply } = await configured(t, `[server]\nlisten = ["127.0.0.1:${first}"]\n`, { listen: null });
  origin.on('/x', { fields: fresh, body: 'hello' });
  const client = await RawClient.connect(first);
  t.after(() => client.close());
  await client.request('/x').response();
  await apply(`[server]\nlisten = ["127.0.0.1:${first}", "127.0.0.1:${second}"]\n`);
  assert.equal((await fetchRaw(second, '/x')).text, 'hello');
  await apply(`[server]\nlisten = ["127.0.0.1:${second}"]\n`);
  await assert.rejects(RawClient.connect(first), /ECONNREFUSED/);
  assert.equal((await client.request('/x').response()).text, 'hello');
  assert.equal((await fetchRaw(second, '/x')).text, 'hello');
  assert.equal(edge.exit, undefined);
});

test('a listener that cannot be had: nothing changes', async (t) => {
  const taken = net.createServer();
  await new Promise((resolve) => { taken.listen(0, '127.0.0.1', resolve); });
  t.after(() => taken.close());
  const [first, other] = [await freePort(), await freePort()];
  const { origin, write, reload } = await configured(t, `[server]\nlisten = ["127.0.0.1:${first}"]\n`, { listen: null });
  origin.on('/x', { fields: fresh, body: 'hello' });
  write(`[server]\nlisten = ["127.0.0.1:${other}", "127.0.0.1:${taken.address().port}"]\n[cache]\nstatus_key = true\n`);
  const refused = await reload();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /server\.listen: cannot listen on 127\.0\.0\.1:\d+: address already in use/);
  await assert.rejects(RawClient.connect(other), /ECONNREFUSED/);
  assert.equal(hasKey(await fetchRaw(first, '/x')), false);
});

test('TLS begins, certificates and settings are one act, and TLS ends', notOverTls('the edge begins without'), async (t) => {
  const certificates = new Certificates();
  t.after(() => certificates.remove());
  const one = certificates.issue('one');
  const [clear, secure] = [await freePort(), await freePort()];
  const plain = `[server]\nlisten = ["127.0.0.1:${clear}"]\n`;
  const { origin, write, reload, apply } = await configured(t, plain, { listen: null });
  origin.on('/x', { fields: fresh, body: 'hello' });
  const withTls = (key) => `${plain}[tls]\nlisten = ["127.0.0.1:${secure}"]\ncert = "${one.cert}"\nkey = "${key}"\n`;
  write(`${withTls(path.join(folder, 'none.pem'))}[cache]\nstatus_key = true\n`);
  const refused = await reload();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /tls: .*none\.pem/);
  assert.equal(hasKey(await fetchRaw(clear, '/x')), false);
  await apply(`${withTls(one.key)}[cache]\nstatus_key = true\n`);
  const client = await connectTls(secure, { servername: 'one.test', ca: fs.readFileSync(certificates.ca) });
  t.after(() => client.close());
  assert.equal(hasKey(await client.request('/x').response()), true);
  await apply(plain);
  await assert.rejects(RawClient.connect(secure), /ECONNREFUSED/);
  assert.equal((await client.request('/x').response()).text, 'hello');
});

test('the access log goes elsewhere and is written in another form; no line is lost', async (t) => {
  const [one, two] = [path.join(folder, 'one.log'), path.join(folder, 'two.log')];
  const { edge, origin, apply } = await configured(t, `[log]\naccess = "${one}"\n`, { accessLog: null });
  origin.on('/x', { fields: fresh, body: 'hello' });
  await edge.get('/x');
  await apply(`[log]\naccess = "${two}"\nformat = "{target} {status}"\n`);
  await edge.get('/x');
  const lines = (file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
  assert.match(JSON.parse(lines(one)[0]).target, /\/x$/);
  await eventually(() => lines(two).length === 1, 'a line in the second log');
  assert.match(lines(two)[0], /\/x 200$/);
  assert.equal((await edge.metrics()).sum('freshet_access_log_lines_total'), 2);
});

// Clients on kept and on new connections, over as many reloads as it takes to catch what is in progress.
test('under load: twenty reloads, and no request fails', async (t) => {
  const { edge, origin, apply } = await configured(t, '');
  origin.on('/hit', { fields: fresh, body: 'hit'.repeat(1000) });
  origin.otherwise((request, reply) => reply.send(200, { 'Cache-Control': 'no-store' }, 'miss'.repeat(1000)));
  let going = true;
  let requests = 0;
  const ask = async (client, target) => {
    const response = await client.request(target).response();
    assert.deepEqual([response.status, response.complete], [200, true]);
    ++requests;
  };
  const kept = async (name) => {
    const client = await edge.connect();
    for (let i = 0; going; ++i) await ask(client, i % 4 === 0 ? `/miss-${name}-${i}` : '/hit');
    client.close();
  };
  const anew = async () => {
    while (going) {
      const client = await edge.connect();
      await ask(client, '/hit');
      client.close();
    }
  };
  const clients = [kept('a'), kept('b'), kept('c'), anew(), anew()];
  for (let i = 0; i < 20; ++i) {
    await apply(`[cache]\nstatus_key = ${i % 2 === 0}\n[server]\nidle_timeout = "${30 + i}s"\n[log]\nsample = ${i % 3 === 0 ? 0.5 : 1}\n[http2]\nmax_streams = ${50 + i}\n`);
  }
  going = false;
  await Promise.all(clients);
  assert.ok(requests > 100, `${requests} requests`);
});

test('SIGTERM during reloads: the edge ends, and listens nowhere', async (t) => {
  const [first, second] = [await freePort(), await freePort()];
  const { edge, write } = await configured(t, `[server]\nlisten = ["127.0.0.1:${first}"]\n`, { listen: null });
  write(`[server]\nlisten = ["127.0.0.1:${second}"]\n`);
  edge.child.kill('SIGHUP');
  edge.child.kill('SIGTERM');
  await edge.exited;
  assert.equal(edge.exit.status, 0);
  for (const port of [first, second]) await assert.rejects(RawClient.connect(port), /ECONNREFUSED/);
});

test('SIGTERM: the answer in progress says that the connection ends; a second SIGTERM cuts what is left', notOverHttp2('there is no Connection field'), async (t) => {
  const { edge, origin } = await configured(t, '[server]\ndrain_timeout = "1h"\n', { workers: 1 });
  const started = (target) => new Promise((resolve) => { origin.on(target, (request, reply) => resolve(reply)); });
  const [last, stuck] = [started('/last'), started('/stuck')];
  const clients = [await edge.connect(), await edge.connect(), await edge.connect()];
  await clients[2].request('/idle').response();
  t.after(() => clients.forEach((client) => client.close()));
  const answer = clients[0].request('/last').response();
  clients[1].request('/stuck');
  const [reply] = [await last, await stuck];
  edge.child.kill('SIGTERM');
  await clients[2].closed();  // so the worker knows of the drain
  reply.send(200, fresh, 'bye');
  const response = await answer;
  assert.deepEqual([response.text, response.field('connection')], ['bye', 'close']);
  edge.child.kill('SIGTERM');
  await edge.exited;
  assert.equal(edge.exit.status, 0);
});
