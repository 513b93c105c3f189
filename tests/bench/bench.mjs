// See ./run.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { root, sanitized } from '../support/edge.mjs';
import * as bursts from './collapse.mjs';
import { diskBudget } from './disk_budget.mjs';
import { diskHits } from './disk_hits.mjs';
import { hitRatio } from './hit_ratio.mjs';
import { idle } from './idle.mjs';
import { observed } from './observed.mjs';
import { policy } from './policy.mjs';
import { about, stopAll } from './proxies.mjs';
import { purges } from './purge.mjs';
import { reload } from './reload.mjs';
import { markdown, updateBetweenMarkers } from './report.mjs';
import { restart } from './restart.mjs';
import * as rows from './rows.mjs';
import { scaling, spread } from './scaling.mjs';
import { slices } from './slices.mjs';
import { unchanged } from './unchanged.mjs';

// Measured beside the peers, all of them where none is named; and what is run by name: checks with a verdict, and parts by themselves.
const measured = [...rows.benchmarks, ['disk_hits', diskHits], ...bursts.benchmarks];
const byName = Object.entries({ policy, no_store: bursts.noStore, hit_ratio: hitRatio, reload, slices, unchanged, purges, disk_budget: diskBudget, restart, observed, scaling, spread, idle });
const all = new Map([...measured, ...byName]);
const usual = { rounds: 3, seconds: 5 };
const defaults = { ...Object.fromEntries(measured.map(([name]) => [name, usual])), policy: { rounds: 15 }, no_store: usual };
const numbers = ['rounds', 'seconds', 'clients', 'size', 'ranges', 'through', 'requests'];

function complain(text) {
  console.error(text);
  process.exit(2);
}

function commandLine() {
  const strings = [...numbers, 'peers', 'markdown'];
  try {
    return parseArgs({ allowPositionals: true, options: { update: { type: 'boolean' }, ...Object.fromEntries(strings.map((name) => [name, { type: 'string' }])) } });
  } catch (error) {
    return complain(error.message);
  }
}

const { values, positionals } = commandLine();
const given = Object.fromEntries(numbers.filter((name) => values[name] !== undefined).map((name) => [name, Number(values[name])]));
const peers = values.peers?.split(',');
for (const name of peers ?? []) if (!Object.hasOwn(about, name)) complain(`unknown peer ${name}; there are ${Object.keys(about).join(', ')}`);
// Files are traces for hit_ratio.
const isTrace = (word) => word.includes('/') || word.endsWith('.csv');
const words = positionals.filter((word) => !isTrace(word));
const chosen = words.length > 0 ? words : measured.map(([name]) => name);
for (const name of chosen) if (!all.has(name)) complain(`unknown benchmark ${name}; there are ${[...all.keys()].join(', ')}`);

for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => stopAll().then(() => process.exit(status)));
if (sanitized()) console.log('the binary is instrumented: the figures mean nothing');
const output = path.join(root, 'build/bench');
fs.mkdirSync(output, { recursive: true });
const when = new Date().toISOString();
const tables = [];
for (const name of chosen) {
  const result = await all.get(name)({ ...defaults[name], ...given, peers, traces: positionals.filter(isTrace), update: values.update });
  const machine = { when: new Date().toISOString(), cpu: os.cpus()[0].model, cores: os.cpus().length };
  fs.writeFileSync(path.join(output, `${name}.json`), `${JSON.stringify({ ...machine, ...result }, null, 2)}\n`);
  if (result.table) tables.push(result.table);
  if (result.ok === false) process.exitCode = 1;
}
if (tables.length > 0) {
  const text = markdown(tables, { when, ...usual, ...given });
  if (values.markdown) fs.writeFileSync(values.markdown, text);
  if (values.update) updateBetweenMarkers(path.join(root, 'README.md'), text);
}
process.exit();
