// Bodies that are read from disk: verified the first time, then read where they were found whole; nothing of it can be told from outside.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab } from '../support/lab.mjs';

const host = 'disk.example';
const settings = { 'cache.memory': '16M' };

function patterned(size, seed) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i + 4 <= size; i += 4) bytes.writeUInt32LE(Math.imul(i + seed, 2654435761) >>> 0, i);
  return bytes;
}

// Larger than what comes into memory when it is wanted again, and smaller.
const bodies = { '/large': patterned(3_000_000, 1), '/piece': patterned(200_000, 2), '/small': patterned(20_000, 3) };

async function labWithBodiesOnDisk(t) {
  const lab = await ownLab(t, { settings });
  for (const [target, body] of Object.entries(bodies)) {
    lab.origin.on(target, { fields: { 'Cache-Control': 'max-age=600', ETag: `"${target}"` }, body });
    await lab.store(target, { host });
  }
  await lab.edge.stopForRestart();
  await lab.edge.spawn();
  return lab;
}

test('whole and in parts, as often as they are asked for', async (t) => {
  const lab = await labWithBodiesOnDisk(t);
  for (let i = 0; i < 3; ++i) {
    for (const [target, body] of Object.entries(bodies)) {
      const response = await lab.get(target, { host });
      expectHit(response);
      expectWhole(response, 200, body);
      const part = await lab.get(target, { host, fields: { Range: 'bytes=1000-19000' } });
      expectWhole(part, 206, body.subarray(1000, 19001));
      const end = await lab.get(target, { host, fields: { Range: 'bytes=-77' } });
      expectWhole(end, 206, body.subarray(-77));
    }
  }
  assert.equal(lab.origin.requestsFor('/large').length, 1);
});

test('pipelined, in order', async (t) => {
  const lab = await labWithBodiesOnDisk(t);
  for (const target of Object.keys(bodies)) await lab.get(target, { host });
  const client = await lab.connect();
  const asked = ['/large', '/small', '/piece', '/large', '/piece'];
  for (const target of asked) client.request(target, { host });
  for (const target of asked) expectWhole(await client.response(), 200, bodies[target]);
});

test('to a client that does not read for a while', async (t) => {
  const lab = await labWithBodiesOnDisk(t);
  await lab.get('/large', { host });
  const client = await lab.connect();
  const response = await client.request('/large', { host }).responseHead();
  client.pause();
  expectWhole(await lab.get('/large', { host }), 200, bodies['/large']);
  client.resume();
  await client.finishBody(response);
  expectWhole(response, 200, bodies['/large']);
});

test('G6: a file that is changed under the running edge is looked at again: nothing wrong is sent', async (t) => {
  const lab = await labWithBodiesOnDisk(t);
  for (let i = 0; i < 2; ++i) await lab.get('/large', { host });
  const tables = fs.readdirSync(lab.edge.cacheDir, { recursive: true }).filter((name) => name.endsWith('.sst')).map((name) => path.join(lab.edge.cacheDir, name));
  for (const table of tables) {
    if (fs.statSync(table).size < 100_000) continue;
    const file = fs.openSync(table, 'r+');
    for (let at = 10_000; at < fs.statSync(table).size; at += 10_000) fs.writeSync(file, '#', at);
    fs.closeSync(file);
  }
  for (let i = 0; i < 3; ++i) {
    for (const [target, body] of Object.entries(bodies)) {
      const response = await lab.get(target, { host });
      if (response.complete) expectWhole(response, 200, body);
    }
  }
});
