// Tables of benchmarks, {title, heading, lines: [cells], notes: {peer: why it is not in it}}, as text and as the README's Markdown.

import fs from 'node:fs';
import os from 'node:os';

import { about, version } from './proxies.mjs';
import { summary, table, whole } from './statistics.mjs';

const names = { h2o: 'h2o (files)', bare: 'bare libevent server' };
export const label = (name) => names[name] ?? name;

const noted = ({ notes }) => Object.entries(notes).map(([name, why]) => `${label(name)}: ${why}`);

export function print(one) {
  console.log(`\n${one.title}`);
  if (one.lines.length > 0) console.log(table([one.heading, ...one.lines]));
  for (const each of noted(one)) console.log(each);
}

// Of a proxy's rounds, each {perCpuSecond, perSecond, p99}: the comparison with nginx and the ceiling is round by round, since both were disturbed alike.
export const throughput = {
  heading: ['peer', 'req / CPU-s', 'spread', '× nginx', '× bare', 'req / s', 'spread', 'p99, ms'],
  lines(results) {
    const spread = ({ least, most }) => `${whole(least)} to ${whole(most)}`;
    return Object.entries(results).map(([name, rounds]) => {
      const cpu = summary(rounds.map((r) => r.perCpuSecond));
      const wall = summary(rounds.map((r) => r.perSecond));
      const ratio = (base) => (results[base] && base !== name ? summary(rounds.map((r, i) => r.perCpuSecond / results[base][i].perCpuSecond)).median.toFixed(2) : '');
      const p99 = rounds[0].p99 === undefined ? '' : summary(rounds.map((r) => r.p99)).median.toFixed(2);
      return [label(name), whole(cpu.median), spread(cpu), ratio('nginx'), ratio('bare'), whole(wall.median), spread(wall), p99];
    });
  },
};

const row = (cells) => `| ${cells.join(' | ')} |`;

// Tables of one heading become one, with the title before each first line.
export function markdown(tables, { when, rounds, seconds }) {
  const versions = Object.keys(about).filter((name) => version(name)).map((name) => `${name} ${version(name)}`);
  const text = [`Of ${when.slice(0, 10)}: ${os.cpus()[0].model}, ${os.cpus().length} cores, Linux ${os.release()}; ${rounds} rounds${seconds ? ` of ${seconds} s` : ''}; ${versions.join(', ')}.`];
  for (const heading of new Set(tables.map((each) => each.heading.join(' | ')))) {
    const same = tables.filter((each) => each.heading.join(' | ') === heading);
    const cells = ['', ...same[0].heading];
    text.push('', row(cells), row(cells.map((_, i) => (i < 2 ? '---' : '---:'))));
    for (const { title, lines } of same) lines.forEach((line, i) => text.push(row([i === 0 ? title : '', ...line.map((cell) => (line[0] === 'freshet' ? `**${cell}**` : cell))])));
  }
  const without = new Map();
  for (const one of tables) for (const note of noted(one)) without.set(note, [...(without.get(note) ?? []), one.title]);
  if (without.size > 0) text.push('', 'Not in it:', '', ...[...without].map(([note, titles]) => `- ${note} (${titles.join('; ')})`));
  return `${text.join('\n')}\n`.replaceAll('****', '');
}

const begin = '<!-- tests/bench/run --update -->\n';
const end = '<!-- end of tests/bench/run --update -->\n';

// Puts the text between the markers.
export function updateBetweenMarkers(file, text) {
  const old = fs.readFileSync(file, 'utf8');
  const from = old.indexOf(begin);
  const to = old.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} has no markers ${begin.trim()}`);
  fs.writeFileSync(file, old.slice(0, from + begin.length) + text + old.slice(to));
}
