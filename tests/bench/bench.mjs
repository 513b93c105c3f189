// See ./run.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { root, sanitized } from '../support/edge.mjs';
import { collapse } from './collapse.mjs';
import { diskBudget } from './disk_budget.mjs';
import { diskHits } from './disk_hits.mjs';
import { hit } from './hit.mjs';
import { hitRatio } from './hit_ratio.mjs';
import { policy } from './policy.mjs';
import { purges } from './purge.mjs';
import { reload } from './reload.mjs';
import { restart } from './restart.mjs';
import { slices } from './slices.mjs';
import { unchanged } from './unchanged.mjs';

// Measured beside nginx, all of them where none is named; and checks with a verdict, which are run by name.
const benchmarks = { hit, collapse, policy, disk_hits: diskHits };
const checks = { hit_ratio: hitRatio, reload, slices, unchanged, purges, disk_budget: diskBudget, restart };
const all = { ...benchmarks, ...checks };
const defaults = { hit: { rounds: 5, seconds: 5 }, collapse: { rounds: 10 }, policy: { rounds: 15 } };

function option(args, name) {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : Number(args.splice(at, 2)[1]);
}

const args = process.argv.slice(2);
<<<<<<< HEAD
const given = Object.fromEntries(['rounds', 'seconds', 'clients', 'size', 'ranges', 'through', 'requests'].map((name) => [name, option(args, name)]).filter(([, value]) => value !== undefined));
=======
const update = args.includes('--update');
if (update) args.splice(args.indexOf('--update'), 1);
const given = Object.fromEntries(['rounds', 'seconds', 'clients', 'size', 'ranges', 'requests'].map((name) => [name, option(args, name)]).filter(([, value]) => value !== undefined));
>>>>>>> 3ad74f4 (proxy/simulate: scenarios, a fuzz target, and the table of hit ratios in the README)
// Files are traces for hit_ratio.
const traces = args.filter((name) => name.includes('/') || name.endsWith('.csv'));
for (const file of traces) args.splice(args.indexOf(file), 1);
const chosen = args.length > 0 ? args : Object.keys(benchmarks);
for (const name of chosen) {
  if (!Object.hasOwn(all, name)) {
    console.error(`unknown benchmark ${name}; there are ${Object.keys(all).join(', ')}`);
    process.exit(2);
  }
}
if (sanitized()) console.log('the binary is instrumented: the figures mean nothing');
const output = path.join(root, 'build/bench');
fs.mkdirSync(output, { recursive: true });
for (const name of chosen) {
  const result = await all[name]({ ...defaults[name], ...given, traces, update });
  const about = { when: new Date().toISOString(), cpu: os.cpus()[0].model, cores: os.cpus().length };
  fs.writeFileSync(path.join(output, `${name}.json`), `${JSON.stringify({ ...about, ...result }, null, 2)}\n`);
  if (result.ok === false) process.exitCode = 1;
}
process.exit();
