// Session tickets: who comes back is spared the costly half of the handshake, at any worker and at any edge that has the keys.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';

import { Certificates } from '../support/certificates.mjs';
import { expectWhole } from '../support/expect.mjs';
import { Lab } from '../support/lab.mjs';
import { connectTls, sessionOf } from '../support/tls_client.mjs';
import { eventually } from '../support/waiting.mjs';

let made;
let issued;
before(() => {
  made = new Certificates();
  issued = made.issue('a');
});
after(() => made?.remove());

async function edge(t, settings = {}, options = {}) {
  const lab = new Lab({ settings: { 'tls.listen': '127.0.0.1:0', 'tls.cert': issued.cert, 'tls.key': issued.key, ...settings }, ...options });
  t.after(() => lab.close());
  await lab.open();
  lab.origin.on('/x', { fields: { 'Cache-Control': 'max-age=60' }, body: 'hello' });
  return lab;
}

// A connection with one request, and the ticket that came with it.
async function visit(lab, options = {}) {
  const client = await connectTls(lab.edge.tlsPort, options);
  expectWhole(await client.request('/x').response(), 200, 'hello');
  const session = client.socket.isSessionReused() && client.socket.getProtocol() === 'TLSv1.2' ? options.session : await sessionOf(client);
  const reused = client.socket.isSessionReused();
  client.close();
  return { session, reused };
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  const only = { minVersion: version, maxVersion: version };

  test(`${version}: a ticket of one worker is good at the others`, async (t) => {
    const lab = await edge(t, {}, { workers: 4 });
    let { session, reused } = await visit(lab, only);
    assert.equal(reused, false);
    // Which worker a connection comes to is up to the kernel; sixteen times the same of four has a chance below one in a billion.
    for (let i = 0; i < 16; ++i) {
      ({ session, reused } = await visit(lab, { ...only, session }));
      assert.equal(reused, true);
    }
    const metrics = await lab.edge.metrics();
    assert.equal(metrics.sum('freshet_tls_handshakes_total'), 17);
    assert.equal(metrics.sum('freshet_tls_resumed_total'), 16);
  });

  test(`${version}: keys from a file are good at two edges, and are read again on SIGHUP`, async (t) => {
    const [a, b, c] = Array.from({ length: 3 }, () => Certificates.ticketKey());
    const [here, there] = [made.write('here', `${a}\n`), made.write('there', `# a comes later\n${b}\n${a}\n`)];
    const first = await edge(t, { 'tls.ticket_keys': here });
    const second = await edge(t, { 'tls.ticket_keys': there });
    const { session } = await visit(first, only);
    assert.equal((await visit(second, { ...only, session })).reused, true);
    // The first edge does not have the key that the second seals with.
    const sealedByB = (await visit(second, only)).session;
    assert.equal((await visit(first, { ...only, session: sealedByB })).reused, false);
    made.write('here', `${b}\n`);
    first.edge.child.kill('SIGHUP');
    await first.edge.logLine(/reload, asked for by SIGHUP: applied/);
    assert.equal((await visit(first, { ...only, session: sealedByB })).reused, true);
    assert.equal((await visit(first, { ...only, session })).reused, false);
    // A damaged file changes nothing.
    made.write('here', `${c}\nnoise\n`);
    first.edge.child.kill('SIGHUP');
    await first.edge.logLine(/here: line 2: is not 80 bytes in base64/);
    assert.equal((await visit(first, { ...only, session: sealedByB })).reused, true);
  });

  test(`${version}: a ticket outlives a reload of certificates, and no restart`, async (t) => {
    const lab = await edge(t);
    const { session } = await visit(lab, only);
    lab.edge.child.kill('SIGHUP');
    await lab.edge.logLine(/reload, asked for by SIGHUP: applied/);
    assert.equal((await visit(lab, { ...only, session })).reused, true);
    await lab.edge.stopForRestart();
    await lab.edge.spawn();
    assert.equal((await visit(lab, { ...only, session })).reused, false);
  });
}

test('a ticket of an edge that asked for no client certificate does not spare it at one that does', async (t) => {
  const keys = made.write('keys', `${Certificates.ticketKey()}\n`);
  const open = await edge(t, { 'tls.ticket_keys': keys });
  const strict = await edge(t, { 'tls.ticket_keys': keys, 'tls.client_certificates': 'required', 'tls.client_ca': made.ca });
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const only = { minVersion: version, maxVersion: version };
    const { session } = await visit(open, only);
    await assert.rejects(visit(strict, { ...only, session }));
  }
});

test('a ticket is good no longer than the client certificate with which it was got, however often it was renewed', async (t) => {
  const lab = await edge(t, { 'tls.client_certificates': 'required', 'tls.client_ca': made.ca });
  const versions = ['TLSv1.2', 'TLSv1.3'];
  // On a slow machine it may have expired before its first use: then another, for longer.
  const admitted = async (seconds) => {
    const issued = made.issueFor(seconds, 'short');
    const files = { cert: fs.readFileSync(issued.cert), key: fs.readFileSync(issued.key) };
    const visits = [];
    for (const version of versions) {
      const shown = { ...files, minVersion: version, maxVersion: version };
      try {
        const { session } = await visit(lab, shown);
        const again = await visit(lab, { ...shown, session });
        if (!again.reused) throw new Error('not resumed');
        visits.push({ ...shown, session: again.session });
      } catch (error) {
        if (Date.now() < issued.end) throw error;
        return admitted(2 * seconds);
      }
    }
    return { visits, end: issued.end };
  };
  const { visits, end } = await admitted(3);
  const resumed = (await lab.edge.metricsWhen((m) => m.sum('freshet_tls_resumed_total') >= versions.length)).sum('freshet_tls_resumed_total');
  await eventually(() => Date.now() >= end + 1000, 'a certificate to expire');
  for (const each of visits) await assert.rejects(visit(lab, each), /./, each.maxVersion);
  await lab.edge.logLine(/failed: the client's certificate: .*expired/);
  assert.equal((await lab.edge.metrics()).sum('freshet_tls_resumed_total'), resumed);
});

test('a flood of handshakes, and hits are served meanwhile', async (t) => {
  const lab = await edge(t, {}, { workers: 1 });
  const client = await connectTls(lab.edge.tlsPort);
  const plain = await lab.connect();
  expectWhole(await client.request('/x').response(), 200, 'hello');
  const flood = Array.from({ length: 200 }, () => connectTls(lab.edge.tlsPort));
  for (let i = 0; i < 50; ++i) {
    expectWhole(await client.request('/x').response(), 200, 'hello');
    expectWhole(await plain.request('/x').response(), 200, 'hello');
  }
  for (const each of await Promise.all(flood)) each.close();
  client.close();
  assert.equal((await lab.edge.metrics()).sum('freshet_tls_handshakes_total'), 201);
});
