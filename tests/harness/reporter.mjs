// A reporter for Node's test runner, the same under Node 18 and 20: one line per test, then the counts as JSON in the
// file $TEST_COUNTS. A suite, a file, and a test that failed only because its sub-tests did, are not counted themselves.

import fs from 'node:fs';
import path from 'node:path';

const counts = { passed: 0, failures: [], skipped: [] };
const testFiles = new Set(process.argv.slice(1).map((file) => path.resolve(file)));

function isFile(data) {
  return data.nesting === 0 && testFiles.has(path.resolve(data.name));
}

function explain(error) {
  const cause = error?.cause ?? error;
  return String(cause?.stack ?? cause ?? 'no reason given').replaceAll(/^/gm, '    ');
}

function took(data) {
  return `${((data.details?.duration_ms ?? 0) / 1000).toFixed(2)} s`;
}

function onPass(data) {
  if (isFile(data) || data.details?.type === 'suite') return '';
  const reason = data.skip ?? data.todo;
  if (reason !== undefined && reason !== false) {
    counts.skipped.push(`${data.name}: ${typeof reason === 'string' && reason ? reason : 'no reason given'}`);
    return `skip ${data.name}\n`;
  }
  counts.passed += 1;
  return `ok   ${data.name} (${took(data)})\n`;
}

function onFail(data) {
  const error = data.details?.error;
  if (error?.failureType === 'subtestsFailed') return '';
  const where = data.file && !isFile(data) ? `${path.basename(data.file)}: ` : '';
  counts.failures.push(isFile(data) ? `${path.basename(data.name)} as a whole` : `${where}${data.name}`);
  return `FAIL ${where}${data.name} (${took(data)})\n${explain(error)}\n`;
}

export default async function* reporter(source) {
  for await (const { type, data } of source) {
    if (type === 'test:pass') yield onPass(data);
    if (type === 'test:fail') yield onFail(data);
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
  }
  if (process.env.TEST_COUNTS) fs.writeFileSync(process.env.TEST_COUNTS, JSON.stringify(counts));
}
