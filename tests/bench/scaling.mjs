// One worker and two: the same hits. And how evenly connections fall over workers.

import { RawClient } from '../support/raw_client.mjs';
import { Edge } from '../support/edge.mjs';
import { load, pinned } from './load.mjs';
import { bareOrigin, cpuSeconds, proxies } from './proxies.mjs';
import { summary, table, whole } from './statistics.mjs';

const size = 1024;

// The load has a core of its own only beside one worker; with as many workers as cores it shares theirs, so what counts is requests per CPU-second.
export async function scaling({ rounds = 3, seconds = 3 }) {
  const origin = await bareOrigin([size], pinned(1));
  const started = {};
  const results = { 1: [], 2: [] };
  try {
    for (const workers of [1, 2]) {
      const wrap = workers === 1 ? pinned(0) : [];
      started[workers] = await proxies.freshet(origin, { workers, wrap, settings: workers === 1 ? {} : { 'server.pin_workers': 'true' } });
    }
    const round = async (workers) => {
      const freshet = started[workers];
      const before = cpuSeconds(freshet.pids());
      const { count, wrong, perSecond, p99 } = await load({ port: freshet.port, target: `/${size}`, length: size, connections: 64, seconds });
      if (wrong) throw new Error(wrong);
      return { perCpuSecond: count / (cpuSeconds(freshet.pids()) - before), perSecond, p99 };
    };
    for (const workers of [1, 2]) await round(workers);
    for (let i = 0; i < rounds; ++i) {
      for (const workers of i % 2 ? [2, 1] : [1, 2]) results[workers].push(await round(workers));
    }
  } finally {
    for (const each of Object.values(started)) await each.stop();
    await origin.stop();
  }
  const of = (list, name) => summary(list.map((r) => r[name]));
  const spread = ({ least, most }) => `${whole(least)} to ${whole(most)}`;
  console.log('\nhit, 1 KiB, 64 connections, one worker on a core of its own and two that share both cores with the load');
  console.log(table([['workers', 'req / CPU-s', 'spread', 'req / s', 'spread', 'p99, ms'], ...[1, 2].map((n) => {
    const cpu = of(results[n], 'perCpuSecond');
    const wall = of(results[n], 'perSecond');
    return [n, whole(cpu.median), spread(cpu), whole(wall.median), spread(wall), of(results[n], 'p99').median.toFixed(2)];
  })]));
  const ratio = summary(results[2].map((r, i) => r.perCpuSecond / results[1][i].perCpuSecond)).median;
  console.log(`two workers answer ${ratio.toFixed(2)} times as many requests per CPU-second as one`);
  return { results, ratio };
}

// Most and fewest connections of a worker once so many are open, round by round.
export async function spreadOf(count, { workers, rounds }) {
  const edge = await Edge.start({ origin: 'http://127.0.0.1:1', workers, accessLog: 'off' });
  const differences = [];
  try {
    for (let i = 0; i < rounds; ++i) {
      const clients = await Promise.all(Array.from({ length: count }, () => RawClient.connect(edge.port)));
      const open = await edge.metricsWhen((m) => m.sum('freshet_connections_open') === count, `${count} connections`);
      differences.push(open.sum('freshet_worker_connections_most') - open.sum('freshet_worker_connections_least'));
      for (const client of clients) client.close();
      await edge.metricsWhen((m) => m.sum('freshet_worker_connections_most') === 0, 'no connection');
    }
    const metrics = await edge.metrics();
    const handed = metrics.sum('freshet_connections_handed_over_total') / metrics.sum('freshet_connections_accepted_total');
    return { differences, handed };
  } finally {
    await edge.stop();
  }
}

export async function spread({ rounds = 10 }) {
  const rows = [];
  for (const workers of [2, 4]) {
    for (const count of [32, 1000]) rows.push({ workers, count, ...await spreadOf(count, { workers, rounds }) });
  }
  console.log(`\nconnections over workers: the most that one has less the fewest, ${rounds} rounds`);
  console.log(table([['connections', 'workers', 'median', 'worst', 'handed over'],
    ...rows.map(({ workers, count, differences, handed }) => [count, workers, summary(differences).median, summary(differences).most, `${Math.round(100 * handed)} %`])]));
  const ok = rows.every(({ workers, count, differences }) => Math.max(...differences) <= count / workers / 32 + workers);
  console.log(ok ? 'ok' : 'FAILED: uneven by more than a 32nd');
  return { rows, ok };
}
