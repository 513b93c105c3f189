// `freshet simulate` over the synthetic traces, and over trace files that are named: which policy keeps what is asked for again. Prints the README's table,
// writes it there with --update, and holds the shipped policy to three rules.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { freshetBin, root } from '../support/edge.mjs';

const run = promisify(execFile);

const kinds = ['zipf', 'zipf-one-hit', 'scan', 'size-mix', 'churn', 'loop'];
const sizes = ['0.1%', '1%', '10%', '30%'];
// Know the future: yardsticks, no candidates.
const offline = ['belady', 'bound'];
// Where a tenth fewer misses than LRU is asked for. In a cache of 30 % or more, with one-hit wonders, even Belady is hardly better.
const zipfRows = (row) => ['zipf', 'zipf-one-hit'].includes(row.trace) && ['1%', '10%'].includes(row.size);

async function simulate(name, ...args) {
  const { stdout } = await run(freshetBin, ['simulate', ...args, '--policy', 'all', '--size', sizes.join(','), '--json'], { maxBuffer: 2 ** 26 });
  const { shipped, results } = JSON.parse(stdout);
  return sizes.map((size) => {
    const ofSize = results.filter((each) => each.size === size);
    return { trace: name, size, shipped, of: Object.fromEntries(ofSize.map((each) => [each.policy, each])) };
  });
}

// Rows {trace, size, shipped, of: {policy: result}}.
export async function simulateAll({ traces = [], requests = 1_000_000, objects = 100_000 }) {
  const rows = [];
  for (const kind of kinds) rows.push(...await simulate(kind, '--generate', kind, '--requests', `${requests}`, '--objects', `${objects}`));
  for (const file of traces) rows.push(...await simulate(path.basename(file, '.csv'), file));
  return rows;
}

const percent = (ratio) => (100 * ratio).toFixed(1);

// What the shipped policy does not keep: [text].
export function brokenRules(rows) {
  const broken = [];
  for (const row of rows) {
    const where = `${row.trace} ${row.size}`;
    const ours = row.of[row.shipped];
    const { lru } = row.of;
    for (const ratio of ['hit_ratio', 'byte_hit_ratio']) {
      // At the precision that is printed.
      if (Number(percent(ours[ratio])) < Number(percent(lru[ratio]))) broken.push(`${where}: ${ratio} ${percent(ours[ratio])} is below LRU's ${percent(lru[ratio])}`);
    }
    if (zipfRows(row) && ours.origin_requests > 0.9 * lru.origin_requests) {
      broken.push(`${where}: ${ours.origin_requests} misses, not a tenth fewer than LRU's ${lru.origin_requests}`);
    }
    const candidates = Object.values(row.of).filter((each) => !offline.includes(each.policy));
    const best = candidates.reduce((a, b) => (b.origin_bytes < a.origin_bytes ? b : a));
    if (ours.origin_bytes > 1.05 * best.origin_bytes) {
      broken.push(`${where}: ${percent(ours.origin_bytes / best.origin_bytes - 1)} % more bytes from the origin than ${best.policy}`);
    }
  }
  return broken;
}

export function markdown(rows) {
  const policies = Object.keys(rows[0].of);
  const cell = (row, policy) => {
    const result = row.of[policy];
    const text = `${percent(result.hit_ratio)} / ${percent(result.byte_hit_ratio)}`;
    return policy === row.shipped ? `**${text}**` : text;
  };
  const lines = rows.map((row) => [row.trace, row.size.replace('%', ' %'), ...policies.map((policy) => cell(row, policy))]);
  const heading = ['trace', 'cache', ...policies];
  return [heading, heading.map((_, i) => (i === 0 ? '---' : '---:')), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

// The table that stands in the README gives way to this one.
function updateReadme(table) {
  const readme = path.join(root, 'README.md');
  const text = fs.readFileSync(readme, 'utf8');
  fs.writeFileSync(readme, text.replace(/^\| trace \| cache \|.*\n(?:\|.*\n)*/m, () => `${table}\n`));
}

export async function hitRatio({ traces, requests, update }) {
  const rows = await simulateAll({ traces, requests });
  console.log(`hit ratio / byte hit ratio in percent; cache: part of the footprint; shipped: ${rows[0].shipped}\n`);
  console.log(markdown(rows));
  if (update) updateReadme(markdown(rows));
  const broken = brokenRules(rows);
  console.log(broken.length === 0 ? '\nthe shipped policy keeps its rules: ok' : `\nFAILED:\n  ${broken.join('\n  ')}`);
  return { rows, broken, ok: broken.length === 0 };
}
