// The package http-cache-tests, run against a base URL. One run per process: the package keeps its results in module state.
//
// Left out are the tests that only a browser can run (browser_only). Surrogate-Control, which the package's command line adds, is added here too.

import { spawn } from 'node:child_process';
import path from 'node:path';

import fetch from 'node-fetch';

import { temporaryDirectory } from '../support/edge.mjs';
import { within } from '../support/waiting.mjs';

const packageRoot = path.dirname(new URL(import.meta.resolve('http-cache-tests/cli.mjs')).pathname);
const load = (file) => import(path.join(packageRoot, file));

// The package reads its settings from npm's environment; an empty id means "all tests".
process.env.npm_package_config_id = '';

export const suites = [...(await load('tests/index.mjs')).default, (await load('tests/surrogate-control.mjs')).default];
const { runTests } = await load('client/runner.mjs');
const { testResults } = await load('client/test.mjs');

export const kinds = ['required', 'optimal', 'check'];
export const kindOf = (test) => test.kind ?? 'required';

const all = suites.flatMap((suite) => suite.tests).filter((test) => test.browser_only !== true);
const byId = new Map(all.map((test) => [test.id, test]));
export const tests = () => all;

// The package's own origin server on a free port: {url, stop()}.
export async function startSuiteOrigin() {
  const child = spawn(process.execPath, [path.join(packageRoot, 'server/server.mjs')], {
    cwd: temporaryDirectory('freshet-suite-'),
    env: { ...process.env, npm_config_protocol: 'http', npm_config_port: '0', npm_config_pidfile: 'server.pid' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await within(new Promise((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part) => {
      text += part;
      const match = /Listening on http:\/\/.*:(\d+)\//.exec(text);
      if (match) resolve(Number(match[1]));
    });
    child.once('error', reject);
    child.once('close', () => reject(new Error("the suite's origin server ended")));
  }), "the suite's origin server");
  return { url: `http://127.0.0.1:${port}`, stop: () => child.kill() };
}

// {id: {outcome, message}} with outcome pass | fail | setup | harness | dependency. A test passes only if the tests that it depends on pass.
export async function runSuite(baseUrl) {
  await runTests(suites, fetch, false, baseUrl);
  return outcomes();
}

// Runs some of the tests once more, few at a time, and returns all outcomes: for those that a loaded machine may have disturbed.
export async function runAgain(ids, baseUrl) {
  for (const id of ids) delete testResults[id];
  await new Promise((resolve) => setImmediate(resolve));
  const { makeCacheTest } = await load('client/test.mjs');
  await Promise.all(ids.map((id) => makeCacheTest(byId.get(id))));
  return outcomes();
}

function outcomes() {
  return Object.fromEntries(all.map((test) => [test.id, outcomeOf(test)]));
}

function outcomeOf(test) {
  const result = testResults[test.id];
  const broken = (test.depends_on ?? []).find((id) => byId.has(id) && outcomeOf(byId.get(id)).outcome !== 'pass');
  if (broken !== undefined) return { outcome: 'dependency', message: `${broken} does not pass` };
  if (result === true) return { outcome: 'pass' };
  if (result === undefined) return { outcome: 'harness', message: 'did not run' };
  const [name, message] = result;
  const outcome = { Setup: 'setup', Assertion: 'fail' }[name] ?? 'harness';
  return { outcome, message };
}

// {required: {passed, of}, ...}
export function totals(results) {
  return Object.fromEntries(kinds.map((kind) => {
    const ids = all.filter((test) => kindOf(test) === kind).map((test) => test.id);
    return [kind, { passed: ids.filter((id) => results[id].outcome === 'pass').length, of: ids.length }];
  }));
}
