// A 1 KiB hit over kept connections: one worker of each proxy on one core, wrk on the other, in turn. What counts is requests per CPU-second of the proxy,
// which a busy neighbour disturbs least.

import { execFile } from 'node:child_process';
import os from 'node:os';
import { promisify } from 'node:util';

import { fetchRaw } from '../support/raw_client.mjs';
import { Origin } from '../support/origin.mjs';
import { cpuSeconds, proxies } from './proxies.mjs';
import { summary, table, whole } from './statistics.mjs';

const run = promisify(execFile);
const connections = 32;
const body = 'x'.repeat(1024);

const cores = os.cpus().length;
const pinned = (core) => (cores > 1 ? ['taskset', '-c', String(core)] : []);

async function wrk(url, seconds) {
  const [command, ...args] = [...pinned(1), 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', url];
  const { stdout } = await run(command, args);
  const count = Number(/(\d+) requests in/.exec(stdout)[1]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk met errors:\n${stdout}`);
  return { count, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]), p99: /99%\s+(\S+)/.exec(stdout)[1] };
}

export async function hit({ rounds, seconds }) {
  const origin = await Origin.start();
  origin.on('/1k', { fields: { 'Cache-Control': 'max-age=86400', ETag: '"1k"', 'Content-Type': 'text/plain' }, body });
  const running = {};
  const results = {};
  try {
    for (const name of Object.keys(proxies)) {
      running[name] = await proxies[name](origin, { workers: 1, wrap: pinned(0) });
      results[name] = [];
      for (let i = 0; i < 3; ++i) await fetchRaw(running[name].port, '/1k');
      await wrk(`http://127.0.0.1:${running[name].port}/1k`, 1);
    }
    const asked = origin.requests.length;
    for (let round = 0; round < rounds; ++round) {
      const order = Object.keys(proxies);
      if (round % 2 === 1) order.reverse();
      for (const name of order) {
        const { port, pids } = running[name];
        const before = cpuSeconds(pids());
        const result = await wrk(`http://127.0.0.1:${port}/1k`, seconds);
        const cpu = cpuSeconds(pids()) - before;
        results[name].push({ ...result, cpu, perCpuSecond: result.count / cpu });
      }
    }
    if (origin.requests.length !== asked) throw new Error('the origin was asked while only hits were to be served');
  } finally {
    for (const proxy of Object.values(running)) await proxy.stop();
    await origin.stop();
  }
  return report(results);
}

function report(results) {
  const figures = Object.fromEntries(Object.entries(results).map(([name, list]) => [name, {
    perCpuSecond: summary(list.map((r) => r.perCpuSecond)),
    perSecond: summary(list.map((r) => r.perSecond)),
    rounds: list,
  }]));
  const ratios = summary(results.freshet.map((r, i) => r.perCpuSecond / results.nginx[i].perCpuSecond));
  console.log(`\n1 KiB hit, one worker on one core, ${connections} connections, ${results.freshet.length} interleaved rounds`);
  console.log(table([
    ['proxy', 'req / CPU-s', 'least', 'most', 'req / s'],
    ...Object.entries(figures).map(([name, { perCpuSecond: c, perSecond: s }]) => [name, whole(c.median), whole(c.least), whole(c.most), whole(s.median)]),
  ]));
  console.log(`freshet / nginx: median ${ratios.median.toFixed(2)} (${ratios.least.toFixed(2)} to ${ratios.most.toFixed(2)})`);
  return { figures, ratios };
}
