// What the edge tells of its store: freshet stats, /v1/stats, /metrics.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runToEnd, temporaryDirectory } from '../support/edge.mjs';
import { expectHit } from '../support/expect.mjs';
import { sharedLab } from '../support/lab.mjs';

const lab = sharedLab({ settings: { 'cache.memory': '64M', 'cache.disk': '256M' } });

async function stats() {
  const { status, fields, text } = await lab.edge.admin('/v1/stats');
  assert.equal(status, 200);
  assert.equal(fields['content-type'], 'application/json');
  return JSON.parse(text);
}

test('/v1/stats: each tier with its budget, what it holds and what became of it', async () => {
  const body = Buffer.alloc(100_000, 'x');
  for (let i = 0; i < 3; ++i) {
    const path = lab.path();
    lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60' }, body });
    await lab.store(path);
    expectHit(await lab.get(path));
    await lab.get(path, { method: 'PURGE', fields: { 'Soft-Purge': '1' } });
  }
  await lab.edge.metricsWhen((m) => m.sum('freshet_disk_writes_total') >= 3);
  const now = await stats();
  assert.equal(now.memory.budget, 64 << 20);
  assert.equal(now.disk.budget, 256 << 20);
  assert.ok(now.memory.responses >= 3);
  assert.ok(now.memory.bytes >= 300_000 && now.memory.bytes <= now.memory.budget);
  assert.ok(now.memory.hits >= 3);
  assert.ok(now.disk.writes >= 3 && now.disk.written_bytes >= 300_000);
  assert.ok(now.invalidation.purges >= 3);
  assert.ok(now.edge.requests >= 6 && now.edge.hit_ratio > 0 && now.edge.hit_ratio < 1);
  for (const name of ['evictions', 'refused', 'stalls', 'write_amplification', 'backlog_bytes', 'copied_forward', 'copies_dropped', 'swept']) {
    assert.equal(typeof now.disk[name], 'number', name);
  }
  assert.equal(typeof now.invalidation.scopes_kept, 'number');
});

test('freshet stats: a table with units, and --json as /v1/stats has it', async () => {
  const table = await runToEnd(['stats', '--cache-dir', lab.edge.cacheDir]);
  assert.equal(table.status, 0, table.stderr);
  assert.match(table.stdout, /^memory\n {2}bytes +\S+ (B|KiB|MiB)\n {2}budget +64\.0 MiB$/m);
  assert.match(table.stdout, /^invalidation\n {2}purges +\d+$/m);
  const json = await runToEnd(['stats', '--cache-dir', lab.edge.cacheDir, '--json']);
  assert.equal(json.status, 0);
  assert.deepEqual(Object.keys(JSON.parse(json.stdout)), Object.keys(await stats()));
});

test('freshet stats: no edge there, exit status 1', async () => {
  const done = await runToEnd(['stats', '--cache-dir', temporaryDirectory()]);
  assert.equal(done.status, 1);
  assert.match(done.stderr, /^freshet: cannot reach the edge at /);
});

test('/metrics has the counters of purges and of the store', async () => {
  const metrics = await lab.edge.metrics();
  for (const name of ['purges_total', 'purge_scopes_total', 'purges_not_durable_total', 'purges_refused_total', 'invalidation_scopes', 'memory_refused_total',
    'disk_stalls_total', 'disk_file_bytes_total', 'disk_copied_forward_total', 'disk_copies_dropped_total', 'disk_swept_total', 'disk_responses', 'disk_bytes']) {
    assert.ok(metrics.has(`freshet_${name}`), name);
  }
});
