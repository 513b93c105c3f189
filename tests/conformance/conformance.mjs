// See ./run. Results go to build/conformance/.

import fs from 'node:fs';
import path from 'node:path';

import { Edge, root } from '../support/edge.mjs';
import { Nginx } from '../support/nginx.mjs';
import { deviationFor, mistakes, readmeAgrees, tables, writeReadme } from './reasons.mjs';
import { kindOf, kinds, runAgain, runSuite, startSuiteOrigin, tests, totals } from './suite.mjs';

const expectedFile = path.join(root, 'tests/conformance/expected.json');
const outputDirectory = path.join(root, 'build/conformance');

const targets = {
  async freshet(originUrl) {
    // The suite's own responses carry Set-Cookie to see that a cache stores them (RFC 9111 section 7.3 lets it).
    const edge = await Edge.start({ origin: originUrl, settings: { 'cache.set_cookie': 'rfc' }, accessLog: 'off' });
    return { url: edge.url, stop: () => edge.stop() };
  },

  async nginx(originUrl) {
    const nginx = await Nginx.start({
      log: false,
      http: (n) => `proxy_cache_path ${n.prefix}/cache levels=1:2 keys_zone=suite:8m max_size=100m inactive=600m;`,
      server: () => `
        location / {
          proxy_pass ${originUrl};
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $http_host;
          proxy_cache suite;
          proxy_cache_revalidate on;
          proxy_cache_lock on;
        }`,
    });
    return { url: nginx.url, stop: () => nginx.stop() };
  },
};

async function run(name, settle = async (results) => results) {
  const origin = await startSuiteOrigin();
  let target;
  try {
    target = await targets[name](origin.url);
    const started = Date.now();
    const results = await settle(await runSuite(target.url), target.url);
    fs.mkdirSync(outputDirectory, { recursive: true });
    fs.writeFileSync(path.join(outputDirectory, `${name}.json`), `${JSON.stringify({ totals: totals(results), results }, null, 2)}\n`);
    console.log(`${name}: ${describe(totals(results))}  (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    return results;
  } finally {
    await target?.stop();
    origin.stop();
  }
}

const describe = (sums) => kinds.map((kind) => `${kind} ${sums[kind].passed} of ${sums[kind].of}`).join(', ');

// A test that judges may get better without notice; the answer to a check changes only with expected.json.
const worse = (test, before, now) => (kindOf(test) === 'check' ? (before === 'pass') !== (now === 'pass') : before === 'pass' && now !== 'pass');

const regressions = (expected, results) => tests()
  .filter((test) => worse(test, expected[test.id], results[test.id].outcome)).map((test) => test.id);

// A loaded machine can delay a request past the two or three seconds that the suite allows: what seems to have got worse is asked again, and must pass then.
function settleWith(expected) {
  return async (results, url) => {
    let settled = results;
    for (let attempt = 1; attempt <= 2; ++attempt) {
      const again = regressions(expected, settled);
      if (again.length === 0 || again.length > 40) break;
      console.log(`asked again: ${again.join(' ')}`);
      settled = await runAgain(again, url);
    }
    return settled;
  };
}

function compare(expected, results) {
  let passed = 0;
  let failed = 0;
  const fail = (text) => { ++failed; console.log(text); };
  for (const test of tests()) {
    const before = expected[test.id] ?? 'unknown';
    const { outcome, message } = results[test.id];
    const name = `${test.id} (${kindOf(test)}): ${test.name}`;
    if (worse(test, before, outcome)) {
      fail(`${kindOf(test) === 'check' ? 'OTHER' : 'WORSE'}  ${name}: ${outcome}${message === undefined ? '' : `: ${message}`}; expected.json says ${before}`);
      continue;
    }
    ++passed;
    if (before !== 'pass' && outcome === 'pass' && kindOf(test) !== 'check') console.log(`BETTER ${name}; expected.json says ${before}`);
  }
  for (const mistake of mistakes(expected)) fail(`REASON ${mistake}`);
  if (!readmeAgrees(expected)) fail('README revalidate/README.md is not what reasons.json and expected.json make of it: tests/conformance/run --update');
  console.log(`${passed} passed, ${failed} failed`);
  return failed;
}

function listFailing(results) {
  for (const kind of ['required', 'optimal']) {
    for (const test of tests().filter((t) => kindOf(t) === kind && results[t.id].outcome !== 'pass')) {
      console.log(`${kind} ${test.id}: ${test.name}: ${results[test.id].outcome}: ${results[test.id].message}\n    ${deviationFor(test.id)?.why ?? 'no reason given'}`);
    }
  }
}

function withPeerTotals(name) {
  const file = path.join(outputDirectory, `${name}.json`);
  if (fs.existsSync(file)) console.log(`${name} (last run): ${describe(JSON.parse(fs.readFileSync(file, 'utf8')).totals)}`);
}

async function main(args) {
  const peer = args.includes('--peer') ? args[args.indexOf('--peer') + 1] : undefined;
  if (peer !== undefined) {
    if (!Object.hasOwn(targets, peer)) throw new Error(`unknown peer ${peer}; known: ${Object.keys(targets).join(', ')}`);
    await run(peer);
    withPeerTotals('freshet');
    return 0;
  }
  const expected = JSON.parse(fs.readFileSync(expectedFile, 'utf8'));
  if (args.includes('--checks')) {
    console.log(tables(expected));
    return 0;
  }
  const updating = args.includes('--update');
  const results = await run('freshet', updating ? undefined : settleWith(expected));
  withPeerTotals('nginx');
  if (args.includes('--list')) listFailing(results);
  if (!updating) return compare(expected, results) === 0 ? 0 : 1;
  const outcomes = Object.fromEntries(tests().map((t) => t.id).sort().map((id) => [id, results[id].outcome]));
  writeExpected(outcomes);
  writeReadme(outcomes);
  return compare(outcomes, results) === 0 ? 0 : 1;
}

function writeExpected(outcomes) {
  const lines = Object.entries(outcomes).map((pair) => `  ${pair.map((text) => JSON.stringify(text)).join(': ')}`);
  fs.writeFileSync(expectedFile, `{\n${lines.join(',\n')}\n}\n`);
  console.log(`${expectedFile} written`);
}

process.exitCode = await main(process.argv.slice(2));
process.exit();
