// Short forms of the checks that tests/bench/run has by name: small, and without time in them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { brokenRules, markdown, simulateAll } from './hit_ratio.mjs';
import { storm } from './reload.mjs';
import { kinds, measureIdle } from './idle.mjs';
import { spreadOf } from './scaling.mjs';
import { readRanges } from './slices.mjs';
import { expireAgain } from './unchanged.mjs';

test('a reload storm: one conditional request in a reload_interval', async () => {
  const { answers, asked, conditional } = await storm({ clients: 100, settings: { 'cache.reload_interval': '1h' }, more: (answered) => answered < 20 });
  assert.deepEqual({ answers, asked, conditional }, { answers: 2000, asked: 1, conditional: 1 });
});

test('no validator at the origin: twenty expiries, 304 for the clients, nothing written; one byte changed: a new tag', async () => {
  for (const bytes of [1024, 200_000]) assert.deepEqual((await expireAgain({ times: 20, bytes })).mistakes, []);
});

for (const control of ['no-cache', 'max-age=600']) {
  test(`random ranges of a file that changes half-way (${control}): each answer is of one version`, async () => {
    const settings = { 'cache.slice_above': '1M', 'cache.slice_size': '256K' };
    const result = await readRanges({ size: 8 * 1024 * 1024, ranges: 30, control, settings, slowReader: false });
    assert.deepEqual(result.mistakes, []);
    assert.ok(result.slicesFetched > 0);
  });
}

test('connections fall evenly over the workers', async () => {
  for (const workers of [2, 4]) assert.ok(Math.max(...(await spreadOf(32, { workers, rounds: 3 })).differences) <= workers);
});

for (const kind of Object.keys(kinds)) {
  test(`idle connections (${kind}) are held while hits are served, and let go`, async () => {
    const { alone, among } = await measureIdle(kind, { connections: 50, rounds: 1, seconds: 0.1, settle: 0 });
    assert.deepEqual([alone.length, among.length], [2, 1]);
  });
}

test('hit ratios of a tenth of the synthetic traces: the shipped policy keeps its rules where the cache is 1 % and 10 % of the footprint', async () => {
  const rows = await simulateAll({ requests: 100_000, objects: 10_000 });
  assert.deepEqual(brokenRules(rows.filter((row) => ['1%', '10%'].includes(row.size))), []);
  assert.equal(markdown(rows).split('\n').length, rows.length + 2);
});

test('what the shipped policy must keep is told where it does not', () => {
  const result = (policy, ratio, bytes = 1000 * (1 - ratio)) => [policy, {
    policy, hit_ratio: ratio, byte_hit_ratio: 1 - bytes / 1000, origin_requests: Math.round(1000 * (1 - ratio)), origin_bytes: bytes,
  }];
  const row = (trace, size, ...results) => ({ trace, size, shipped: 'ours', of: Object.fromEntries(results) });
  const broken = (...given) => brokenRules([row(...given)]);
  assert.deepEqual(broken('zipf', '1%', result('lru', 0.5), result('ours', 0.55), result('bound', 0.9)), []);
  assert.deepEqual(broken('zipf', '1%', result('lru', 0.5), result('ours', 0.54)), ["zipf 1%: 460 misses, not a tenth fewer than LRU's 500"]);
  assert.deepEqual(broken('zipf', '30%', result('lru', 0.5), result('ours', 0.5)), []);
  assert.deepEqual(broken('scan', '1%', result('lru', 0.5), result('ours', 0.49, 500)), ["scan 1%: hit_ratio 49.0 is below LRU's 50.0"]);
  assert.deepEqual(broken('scan', '1%', result('lru', 0.5), result('ours', 0.6, 510)), ["scan 1%: byte_hit_ratio 49.0 is below LRU's 50.0"]);
  assert.deepEqual(broken('scan', '1%', result('lru', 0.2, 800), result('other', 0.2, 600), result('ours', 0.3, 660)),
    ['scan 1%: 10.0 % more bytes from the origin than other']);
});
