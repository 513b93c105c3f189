// Certificates: which one is chosen, what is stapled to it, how they are replaced, who must show one; what is wrong with files.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { Certificates } from '../support/certificates.mjs';
import { runToEnd } from '../support/edge.mjs';
import { expectWhole } from '../support/expect.mjs';
import { Lab } from '../support/lab.mjs';
import { connectTls } from '../support/tls_client.mjs';
import { within } from '../support/waiting.mjs';

const run = promisify(execFile);
const fresh = { 'Cache-Control': 'max-age=60', ETag: '"v1"' };
let made;
before(() => { made = new Certificates(); });
after(() => made?.remove());

// An edge with these certificates; the first is the one for clients that name no host.
async function edgeWith(t, certificates, { settings = {}, ...options } = {}) {
  const list = certificates.map(({ cert, key, ocsp }) => [cert, key, ...(ocsp ? [ocsp] : [])].join(':')).join(',');
  const lab = new Lab({ settings: { 'tls.listen': '127.0.0.1:0', 'tls.certificates': list, ...settings }, ...options });
  t.after(() => lab.close());
  await lab.open();
  lab.origin.on('/x', { fields: fresh, body: 'hello' });
  return lab;
}

async function certificateFor(lab, servername, options = {}) {
  const client = await connectTls(lab.edge.tlsPort, { servername, ...options });
  const { subject, serialNumber } = client.socket.getPeerCertificate();
  expectWhole(await client.request('/x', { host: 'a.test' }).response(), 200, 'hello');
  client.close();
  return `${subject.CN} ${parseInt(serialNumber, 16)}`;
}

test('SNI: exact names, wildcards of one label, and the first for everybody else', async (t) => {
  const first = made.issue('first', { names: ['first.test'] });
  const exact = made.issue('exact', { names: ['a.test', 'b.w.test'] });
  const wild = made.issue('wild', { names: ['*.w.test'] });
  const lab = await edgeWith(t, [first, exact, wild]);
  const named = { first: `first ${first.serial}`, exact: `exact ${exact.serial}`, wild: `wild ${wild.serial}` };
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    for (const [name, wanted] of [['a.test', named.exact], ['A.Test', named.exact], ['b.w.test', named.exact], ['c.w.test', named.wild], ['first.test', named.first],
      ['w.test', named.first], ['c.d.w.test', named.first], ['unknown.test', named.first], ['', named.first]]) {
      assert.equal(await certificateFor(lab, name, { maxVersion }), wanted, `${name} with ${maxVersion}`);
    }
  }
});

test('ECDSA and RSA side by side for one name: a client gets what it can verify', async (t) => {
  const rsa = made.issue('rsa', { names: ['a.test'], key: 'rsa' });
  const ecdsa = made.issue('ecdsa', { names: ['a.test'] });
  const lab = await edgeWith(t, [rsa, ecdsa]);
  for (const servername of ['a.test', '']) {
    assert.equal(await certificateFor(lab, servername, { sigalgs: 'ecdsa_secp256r1_sha256' }), `ecdsa ${ecdsa.serial}`);
    assert.equal(await certificateFor(lab, servername, { sigalgs: 'rsa_pss_rsae_sha256' }), `rsa ${rsa.serial}`);
    assert.equal(await certificateFor(lab, servername, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }), `ecdsa ${ecdsa.serial}`);
    assert.equal(await certificateFor(lab, servername, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }), `rsa ${rsa.serial}`);
  }
});

test('an OCSP response is stapled to its certificate and to no other', async (t) => {
  const a = made.issue('a');
  const b = made.issue('b');
  a.ocsp = made.staple('a', a);
  const lab = await edgeWith(t, [a, b]);
  const status = async (servername, version) => {
    const { stdout } = await run('sh', ['-c', `openssl s_client -connect 127.0.0.1:${lab.edge.tlsPort} -servername ${servername} -CAfile ${made.ca} -status ${version} </dev/null`]);
    return stdout;
  };
  for (const version of ['-tls1_2', '-tls1_3']) {
    assert.match(await status('a.test', version), /OCSP Response Status: successful[^]*Cert Status: good/);
    assert.match(await status('b.test', version), /OCSP response: no response sent/);
  }
});

test('SIGHUP: new connections get the new certificate, a download in progress goes on', async (t) => {
  const before = made.issue('renewed');
  const lab = await edgeWith(t, [before]);
  const bytes = crypto.randomBytes(8 * 1024 * 1024);
  lab.origin.on('/big', { fields: fresh, body: bytes });
  const downloading = await connectTls(lab.edge.tlsPort);
  const head = await downloading.request('/big').responseHead();
  downloading.pause();
  const idle = await connectTls(lab.edge.tlsPort);

  const renewed = made.issue('renewed');
  assert.notEqual(renewed.serial, before.serial);
  lab.edge.child.kill('SIGHUP');
  await lab.edge.logLine(/reload, asked for by SIGHUP: applied/);
  assert.equal(await certificateFor(lab, 'renewed.test'), `renewed ${renewed.serial}`);
  downloading.resume();
  expectWhole(await downloading.finishBody(head), 200, bytes);
  expectWhole(await downloading.request('/x', { host: 'a.test' }).response(), 200, 'hello');
  expectWhole(await idle.request('/x', { host: 'a.test' }).response(), 200, 'hello');

  fs.writeFileSync(renewed.cert, 'damaged');
  lab.edge.child.kill('SIGHUP');
  await lab.edge.logLine(/renewed\.pem: no certificate in it/);
  assert.equal(await certificateFor(lab, 'renewed.test'), `renewed ${renewed.serial}`);
  for (const client of [downloading, idle]) client.close();
});

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  test(`${version}: client certificates, required and optional`, async (t) => {
    const server = made.issue('server');
    const client = made.issue('client');
    const strangers = new Certificates();
    t.after(() => strangers.remove());
    const stranger = strangers.issue('stranger');
    const shown = ({ cert, key }) => ({ cert: fs.readFileSync(cert), key: fs.readFileSync(key), minVersion: version, maxVersion: version });
    // In TLS 1.3 the client hears of a refusal only after it has finished.
    const refused = (lab, options) => assert.rejects(async () => {
      const connection = await connectTls(lab.edge.tlsPort, options);
      try {
        await connection.request('/x').response();
      } finally {
        connection.close();
      }
    });
    for (const wanted of ['required', 'optional']) {
      const lab = await edgeWith(t, [server], { settings: { 'tls.client_certificates': wanted, 'tls.client_ca': made.ca } });
      assert.match(await certificateFor(lab, 'server.test', shown(client)), /^server/);
      await refused(lab, shown(stranger));
      await lab.edge.logLine(/failed: the client's certificate: /);
      if (wanted === 'required') await refused(lab, { maxVersion: version });
      else assert.match(await certificateFor(lab, 'server.test', { maxVersion: version }), /^server/);
      // A ticket spares the certificate only to who has shown it.
      const first = await connectTls(lab.edge.tlsPort, shown(client));
      expectWhole(await first.request('/x').response(), 200, 'hello');
      await within(new Promise((resolve) => { if (first.sessions.length > 0) resolve(); else first.socket.once('session', resolve); }), 'a ticket');
      const again = await connectTls(lab.edge.tlsPort, { ...shown(client), session: first.sessions.at(-1) });
      assert.equal(again.socket.isSessionReused(), true);
      expectWhole(await again.request('/x').response(), 200, 'hello');
      for (const each of [first, again]) each.close();
    }
  });
}

test('tls.min_version and tls.ciphers', async (t) => {
  const a = made.issue('a');
  const lab = await edgeWith(t, [a], { settings: { 'tls.min_version': '1.3' } });
  await assert.rejects(connectTls(lab.edge.tlsPort, { maxVersion: 'TLSv1.2' }));
  assert.match(await certificateFor(lab, 'a.test'), /^a /);
  const other = await edgeWith(t, [a], { settings: { 'tls.ciphers': 'ECDHE-ECDSA-CHACHA20-POLY1305', 'tls.cipher_suites': 'TLS_CHACHA20_POLY1305_SHA256' } });
  for (const [maxVersion, cipher] of [['TLSv1.2', 'ECDHE-ECDSA-CHACHA20-POLY1305'], ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256']]) {
    const client = await connectTls(other.edge.tlsPort, { maxVersion });
    assert.equal(client.socket.getCipher().name, cipher);
    client.close();
  }
});

test('what is wrong with the files is said at start and by check: one line, exit status 2', async () => {
  const a = made.issue('a');
  const b = made.issue('b');
  const start = (...args) => runToEnd(['run', '--origin', 'http://127.0.0.1:1', '--listen', '127.0.0.1:0', '--tls-listen', '127.0.0.1:0', '--cache-dir', made.path('cache'), ...args]);
  const missing = made.path('missing.pem');
  const cases = [
    [['--tls-cert', missing, '--tls-key', a.key], `tls: ${missing}: cannot be read: no such file or directory`],
    [['--tls-cert', a.cert, '--tls-key', b.key], `tls: ${b.key}: is not the key of the certificate in ${a.cert}`],
    [['--tls-cert', a.cert], 'tls.key: is needed, since tls.cert is there'],
    [[], 'tls.cert: is needed, since tls.listen is there (or tls.certificates)'],
    [['--tls-cert', a.cert, '--tls-key', a.key, '--set', 'tls.ciphers=nothing'], 'tls: tls.ciphers: no cipher match'],
    [['--tls-cert', a.cert, '--tls-key', a.key, '--set', 'tls.client_certificates=required'], 'tls.client_ca: is needed to verify client certificates'],
    [['--tls-cert', a.cert, '--tls-key', a.key, '--set', `tls.client_certificates=required`, '--set', `tls.client_ca=${a.key}`], `tls: ${a.key}: `],
    [['--tls-cert', a.cert, '--tls-key', a.key, '--set', `tls.ticket_keys=${a.key}`], `tls: ${a.key}: line 1: is not 80 bytes in base64`],
  ];
  for (const [args, line] of cases) {
    const { status, stderr } = await start(...args);
    assert.equal(status, 2, stderr);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.ok(stderr.startsWith(`freshet: ${line}`), stderr);
  }
  const deaf = await runToEnd(['run', '--origin', 'http://127.0.0.1:1', '--listen', '127.0.0.1:0', '--tls-cert', a.cert, '--tls-key', a.key]);
  assert.equal(deaf.status, 2);
  assert.equal(deaf.stderr, 'freshet: tls.listen: is needed, since a certificate is there\n');
  const config = (lines) => made.write('freshet.toml', `[origin]\nurl = "http://127.0.0.1:1"\n[tls]\nlisten = "127.0.0.1:0"\n${lines}\n`);
  const check = () => runToEnd(['check', '--config', made.path('freshet.toml')]);
  config(`certificates = [{cert = "${a.cert}", key = "${a.key}"}, {cert = "${a.cert}", key = "${b.key}"}]`);
  const bad = await check();
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /freshet\.toml: tls: .*b\.key: is not the key of the certificate in .*a\.pem\n$/);
  config(`[[tls.certificates]]\ncert = "${a.cert}"\nkey = "${a.key}"`);
  assert.deepEqual({ ...await check(), signal: null }, { status: 0, signal: null, stdout: `${made.path('freshet.toml')}: ok\n`, stderr: '' });
  fs.chmodSync(a.key, 0o644);
  const warned = await check();
  assert.equal(warned.status, 0);
  assert.match(warned.stdout, /warning: tls: .*a\.key: everybody on this machine may read/);
});
