// Why a test of the suite does not pass, and what each of its checks finds: reasons.json, whose rows name tests by pattern. revalidate/README.md holds both
// lists as tables, made here.
//
// A deviation says why a required or optimal test does not pass. Each check, which asks a question rather than judging, falls under one row, and all checks
// of a row have the same answer.

import fs from 'node:fs';
import path from 'node:path';

import { root } from '../support/edge.mjs';
import { kindOf, tests } from './suite.mjs';

const reasons = JSON.parse(fs.readFileSync(path.join(root, 'tests/conformance/reasons.json'), 'utf8'));
const readme = path.join(root, 'revalidate/README.md');
const begin = '<!-- made by tests/conformance/run --update: what follows -->';
const end = '<!-- made by tests/conformance/run --update: what precedes -->';

const escaped = (text) => text.replace(/[.+^${}()|[\]\\]/g, '\\$&');
const matcher = (pattern) => new RegExp(`^${pattern.split('*').map(escaped).join('.*')}$`);
const covers = (row, id) => row.tests.some((pattern) => matcher(pattern).test(id));

export const deviationFor = (id) => reasons.deviations.find((row) => covers(row, id));

const ids = (judged) => tests().filter((test) => (kindOf(test) === 'check') !== judged).map((test) => test.id);

// What is wrong with reasons.json itself, given the outcomes {id: 'pass' | ...}: a list of sentences.
export function mistakes(outcomes) {
  const found = [];
  for (const id of ids(true)) {
    if (outcomes[id] !== 'pass' && deviationFor(id) === undefined) found.push(`${id}: ${outcomes[id]}, and reasons.json does not say why`);
  }
  for (const row of reasons.deviations) {
    if (!ids(true).some((id) => covers(row, id) && outcomes[id] !== 'pass')) found.push(`${row.tests.join(' ')}: passes, a reason is not needed`);
  }
  for (const id of ids(false)) {
    const rows = reasons.checks.filter((row) => covers(row, id)).length;
    if (rows !== 1) found.push(`${id}: stands in ${rows} rows of checks`);
  }
  for (const row of reasons.checks) {
    const answers = new Set(ids(false).filter((id) => covers(row, id)).map((id) => outcomes[id] === 'pass'));
    if (answers.size !== 1) found.push(`${row.tests.join(' ')}: ${answers.size} different answers in one row`);
  }
  return found;
}

const names = (row) => row.tests.map((pattern) => `\`${pattern}\``).join(', ');

// The text between the two marks of revalidate/README.md.
export function tables(outcomes) {
  const count = (row, judged, keep) => ids(judged).filter((id) => covers(row, id) && keep(outcomes[id])).length;
  const lines = [
    '| does not pass | tests | what freshet does | why |', '|---|---|---|---|',
    ...reasons.deviations.map((row) => `| ${names(row)} | ${count(row, true, (o) => o !== 'pass')} | ${row.does} | ${row.why} |`), '',
    '| checks | tests | answer | what freshet does | why |', '|---|---|---|---|---|',
    ...reasons.checks.map((row) => {
      const yes = count(row, false, (o) => o === 'pass');
      return `| ${names(row)} | ${count(row, false, () => true)} | ${yes > 0 ? 'yes' : 'no'} | ${row.does} | ${row.why} |`;
    }),
  ];
  return lines.join('\n');
}

function parts() {
  const text = fs.readFileSync(readme, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${readme} has no marks for the tables of the conformance suite`);
  return { before: text.slice(0, from + begin.length), between: text.slice(from + begin.length, to), after: text.slice(to) };
}

export const readmeAgrees = (outcomes) => parts().between === `\n${tables(outcomes)}\n`;

export function writeReadme(outcomes) {
  const { before, after } = parts();
  fs.writeFileSync(readme, `${before}\n${tables(outcomes)}\n${after}`);
}
