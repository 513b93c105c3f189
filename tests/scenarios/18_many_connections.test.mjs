// Ten thousand idle connections cost memory in proportion and stop nobody.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';

import { expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab } from '../support/lab.mjs';

// Both this process and the edge hold an end of each connection.
function affordable(wanted) {
  const [, soft] = /^Max open files\s+(\S+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'));
  return soft === 'unlimited' ? wanted : Math.min(wanted, Number(soft) - 500);
}

function connectOne(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

test('10,000 idle connections: a hit is still a hit, and memory grows in proportion', async (t) => {
  const n = affordable(10_000);
  if (n < 10_000) t.diagnostic(`the limit on open files allows ${n} connections`);
  const lab = await ownLab(t, { settings: { 'server.max_connections': '20000', 'server.idle_timeout': '10m', 'server.head_timeout': '10m' } });
  lab.origin.on('/', { fields: { 'Cache-Control': 'max-age=600' }, body: 'x' });
  await lab.store('/');
  const before = lab.edge.memory();
  const sockets = [];
  try {
    while (sockets.length < n) {
      sockets.push(...await Promise.all(Array.from({ length: Math.min(250, n - sockets.length) }, () => connectOne(lab.edge.port))));
    }
    await lab.edge.metricsWhen((m) => m.sum('freshet_connections_open') >= n, `${n} open connections`);
    for (let i = 0; i < 20; ++i) {
      const response = await lab.get('/');
      expectHit(response);
      expectWhole(response, 200, 'x');
    }
    lab.edge.expectGrownBy(before, n * 16 * 1024);
    assert.equal(sockets.filter((s) => s.destroyed).length, 0, 'none was closed');
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  await lab.edge.metricsWhen((m) => m.sum('freshet_connections_open') === 0, 'all connections gone');
});
