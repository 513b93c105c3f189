// Hits that come from disk: 1 GiB of 64 KiB bodies, a memory tier of 32 MiB, beside nginx, whose files are in the page cache as the edge's are. Requests per
// CPU-second of the proxy, p99, and the longest turn of the edge's event loops.

import { Edge } from '../support/edge.mjs';
import { pinned, wrk, wrkUntil } from './load.mjs';
import { sizedOrigin } from './sized_origin.mjs';
import { cpuSeconds, proxies } from './proxies.mjs';
import { throughput } from './report.mjs';
import { summary, table, whole } from './statistics.mjs';

const bodySize = 64 * 1024;
const mib = 1024 * 1024;

async function startEdge(origin) {
  const edge = await Edge.start({ origin: origin.url, workers: 1, wrap: pinned(0), accessLog: 'off', settings: { 'cache.memory': '32M', 'cache.disk': '4G' } });
  return { edge, port: edge.port, pids: () => [edge.pid], stop: () => edge.stop() };
}

export async function diskHits({ size = 1024, rounds = 5, seconds = 5 }) {
  const count = Math.floor(size * mib / bodySize);
  const origin = await sizedOrigin([bodySize]);
  const running = {};
  const results = {};
  try {
    running.freshet = await startEdge(origin);
    running.nginx = await proxies.nginx(origin, { workers: 1, wrap: pinned(0) });
    for (const [name, { port }] of Object.entries(running)) {
      results[name] = [];
      const enough = await origin.requests() + count;
      await wrkUntil(`http://127.0.0.1:${port}`, { connections: 8, urls: ['sequence', `/${bodySize}?%d`, count] }, async () => await origin.requests() >= enough);
      await wrk(`http://127.0.0.1:${port}`, 2, { urls: ['uniform', `/${bodySize}?%d`, count] });
    }
    const asked = await origin.requests();
    for (let round = 0; round < rounds; ++round) {
      const order = Object.keys(running);
      if (round % 2 === 1) order.reverse();
      for (const name of order) {
        const { port } = running[name];
        const before = cpuSeconds(running[name].pids());
        const result = await wrk(`http://127.0.0.1:${port}`, seconds, { urls: ['uniform', `/${bodySize}?%d`, count] });
        const cpu = cpuSeconds(running[name].pids()) - before;
        results[name].push({ ...result, cpu, perCpuSecond: result.count / cpu });
      }
    }
    const { edge } = running.freshet;
    const metrics = await edge.metrics();
    return report({
      count,
      results,
      asked: await origin.requests() - asked,
      longestTurn: 1e6 * metrics.sum('freshet_longest_turn_seconds'),
      hits: metrics.sum('freshet_disk_hits_total'),
      memory: edge.memory().highest,
    });
  } finally {
    for (const proxy of Object.values(running)) await proxy.stop();
    await origin.stop();
  }
}

function report({ count, results, asked, longestTurn, hits, memory }) {
  const figures = Object.fromEntries(Object.entries(results).map(([name, list]) => [name, {
    perCpuSecond: summary(list.map((r) => r.perCpuSecond)), perSecond: summary(list.map((r) => r.perSecond)), p99: summary(list.map((r) => r.p99)),
  }]));
  const ratios = summary(results.freshet.map((r, i) => r.perCpuSecond / results.nginx[i].perCpuSecond));
  console.log(`\n${whole(count)} bodies of 64 KiB at random, memory tier 32 MiB, one worker on one core, ${results.freshet.length} interleaved rounds`);
  console.log(table([
    ['proxy', 'req / CPU-s', 'least', 'most', 'req / s', 'p99 ms', 'most'],
    ...Object.entries(figures).map(([name, { perCpuSecond: c, perSecond: s, p99 }]) => [name, whole(c.median), whole(c.least), whole(c.most), whole(s.median), p99.median.toFixed(2), p99.most.toFixed(2)]),
  ]));
  console.log(`freshet / nginx: median ${ratios.median.toFixed(2)} (${ratios.least.toFixed(2)} to ${ratios.most.toFixed(2)}); answered by the disk tier ${whole(hits)}; `
    + `asked of the origin meanwhile ${whole(asked)}; resident at most ${whole(memory / mib)} MiB`);
  console.log(`longest turn of an event loop since the start: ${(longestTurn / 1000).toFixed(1)} ms`);
  const title = `disk hits, ${whole(count)} of 64 KiB, memory tier 32 MiB`;
  return { figures, ratios, asked, longestTurn, memory, table: { title, heading: throughput.heading, lines: throughput.lines(results), notes: {} } };
}
