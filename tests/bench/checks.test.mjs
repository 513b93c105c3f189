// Short forms of the checks that tests/bench/run has by name: small, and without time in them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { storm } from './reload.mjs';
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
