// Each row of the benchmark with sizes that say nothing of speed: is what it compares the same work, and is what is not that work refused?

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { measureBurst } from './collapse.mjs';
import { about, lacking, proxies } from './proxies.mjs';
import { markdown, throughput } from './report.mjs';
import { measure, rows } from './rows.mjs';

const names = ['freshet', 'nginx', 'bare'];
const short = { rounds: 1, seconds: 0.1 };
const rowOf = (name) => rows.find((row) => row.name === name);

for (const row of rows) {
  test(`${row.name}: each answer is as it has to be, and the origin sees what it should`, async () => {
    const tiny = { ...row, among: row.among && 100, connections: 2 };
    const { results, notes } = await measure(tiny, { ...short, names });
    const asked = names.filter((name) => row.kinds.includes(about[name].kind));
    const lacks = (name) => lacking(name, { tls: Boolean(row.tls), h2: row.h2 }) ?? /no HTTP\/2/.exec(notes[name]);
    assert.deepEqual(Object.keys(results), asked.filter((name) => !lacks(name)), JSON.stringify(notes));
    assert.deepEqual(Object.keys(notes), asked.filter(lacks), JSON.stringify(notes));
    for (const rounds of Object.values(results)) {
      assert.equal(rounds.length, 1);
      assert.ok(rounds[0].count > 0);
      assert.ok(row.origin === 'each' ? rounds[0].asked >= rounds[0].count : rounds[0].asked === 0);
    }
  });
}

for (const kind of ['cold', 'expired']) {
  test(`${kind}: freshet asks the origin once`, async () => {
    const { bursts } = await measureBurst(kind, { names: ['freshet'], rounds: 1 });
    assert.equal(bursts.freshet[0].asked, 1);
  });
}

// freshet that stores nothing of the size of the rows.
const notStoring = { other: (origin, options) => proxies.freshet(origin, { ...options, settings: { 'cache.max_object': '1K' } }) };

test('a proxy that asks the origin in a row of hits is not counted', async () => {
  const { results, notes } = await measure({ ...rowOf('hit'), size: 2048 }, { ...short, names: ['other'], peers: notStoring });
  assert.deepEqual(results, {});
  assert.match(notes.other, /not counted: the origin was asked [\d,]+ times while only hits/);
});

test('a proxy that gives another length is not counted', async () => {
  const { results, notes } = await measure({ ...rowOf('hit'), size: 1000 }, {
    ...short,
    names: ['other'],
    peers: { other: (origin, options) => proxies.bare({ ...origin, sizes: [999] }, options) },
  });
  assert.deepEqual(results, {});
  assert.match(notes.other, /not counted: 20 wrong answers, first: answered: HTTP\/1.1 404/);
});

test('misses that are not stored, or not misses, are not counted', async () => {
  const row = rowOf('miss');
  const passing = await measure(row, { ...short, names: ['other'], peers: notStoring });
  assert.match(passing.notes.other, /not counted: of 20 that were fetched the store has only 0/);
  const answering = await measure(row, { ...short, names: ['other'], peers: { other: proxies.bare } });
  assert.match(answering.notes.other, /not counted: the origin was asked 0 times for [\d,]+ misses/);
});

test('what a peer gets wrong is its own result', async () => {
  const peers = { freshet: proxies.freshet, broken: async () => { throw new Error('it does not start'); } };
  const { results, notes } = await measure(rowOf('hit'), { ...short, names: ['broken', 'freshet'], peers });
  assert.deepEqual(Object.keys(results), ['freshet']);
  assert.equal(notes.broken, 'failed: it does not start');
});

test('the table has medians, the ratios round by round, and who is not in it', () => {
  const round = (perCpuSecond, perSecond = 10) => ({ perCpuSecond, perSecond, p99: 1.5 });
  const results = { freshet: [round(200), round(300), round(100)], nginx: [round(100), round(100), round(100)], bare: [round(400), round(300), round(400)] };
  const lines = throughput.lines(results);
  assert.deepEqual(lines[0], ['freshet', '200', '100 to 300', '2.00', '0.50', '10', '10 to 10', '1.50']);
  assert.deepEqual(lines[1].slice(3, 5), ['', '0.25']);
  const text = markdown([
    { title: 'one', heading: throughput.heading, lines, notes: { varnish: 'has no TLS' } },
    { title: 'two', heading: throughput.heading, lines: [lines[1]], notes: { varnish: 'has no TLS' } },
  ], { when: '2026-01-02T03:04:05Z', rounds: 3, seconds: 5 });
  assert.match(text, /^Of 2026-01-02: .*3 rounds of 5 s/);
  assert.match(text, /^\| one \| \*\*freshet\*\* \| \*\*200\*\* \|/m);
  assert.match(text, /^\| two \| nginx \| 100 \|/m);
  assert.match(text, /^- varnish: has no TLS \(one; two\)$/m);
});
