// What policy decides on a hit, without sockets: Google Benchmark's tests/bench/policy_bench, built in the folder of the binary that is measured.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

import { freshetBin } from '../support/edge.mjs';
import { table } from './statistics.mjs';

const run = promisify(execFile);

export async function policy({ rounds }) {
  const build = path.resolve(path.dirname(freshetBin), '..');
  await run('ninja', ['-C', build, 'tests/bench/policy_bench']);
  const options = [`--benchmark_repetitions=${rounds}`, '--benchmark_enable_random_interleaving=true', '--benchmark_format=json'];
  const { stdout } = await run(path.join(build, 'tests/bench/policy_bench'), options, { maxBuffer: 2 ** 26 });
  const { benchmarks } = JSON.parse(stdout);
  const failed = benchmarks.find((each) => each.error_occurred);
  if (failed) throw new Error(`${failed.name}: ${failed.error_message}`);
  const figure = (name, aggregate) => benchmarks.find((each) => each.run_name === name && each.aggregate_name === aggregate).cpu_time;
  const names = [...new Set(benchmarks.map((each) => each.run_name))];
  const rows = names.map((name) => [name, figure(name, 'median').toFixed(0), figure(name, 'stddev').toFixed(1)]);
  console.log(`policy, nanoseconds of CPU, median and deviation of ${rounds} repetitions`);
  console.log(table([['what', 'median', 'deviation'], ...rows]));
  return { rows };
}
