// The hit ratio right before and right after a restart: Zipf over more responses than the disk tier holds. And how long the edge takes until it is ready.

import { performance } from 'node:perf_hooks';

import { Edge } from '../support/edge.mjs';
import { pinned, wrk, wrkUntil } from './load.mjs';
import { sizedOrigin } from './sized_origin.mjs';
import { table } from './statistics.mjs';

const bodySize = 16 * 1024;
let seed = 0;
// Other draws in each run.
// The edge has another port after the restart: the target URIs must not have it in them.
const load = () => ({ host: 'restart.test', urls: urls() });
const urls = () => ['zipf', `/${bodySize}?%d`, 50_000, ++seed];

async function hitRatio(edge, origin, seconds) {
  const asked = await origin.requests();
  const { count } = await wrk(edge.url, seconds, load());
  return 1 - (await origin.requests() - asked) / count;
}

export async function restart({ size = 256, seconds = 3, rounds = 3 }) {
  const origin = await sizedOrigin([bodySize]);
  const edge = await Edge.start({ origin: origin.url, workers: 1, wrap: pinned(0), accessLog: 'off', settings: { 'cache.memory': '64M', 'cache.disk': `${size}M` } });
  const results = [];
  try {
    // Until the disk tier has been full for a while.
    const filled = async () => (await edge.metrics()).sum('freshet_origin_body_bytes_total') >= 1.5 * size * 1024 * 1024;
    await wrkUntil(edge.url, load(), filled);
    for (let round = 0; round < rounds; ++round) {
      const before = await hitRatio(edge, origin, seconds);
      await edge.stopForRestart();
      const began = performance.now();
      await edge.spawn();
      const ready = performance.now() - began;
      results.push({ before, after: await hitRatio(edge, origin, seconds), ready });
    }
  } finally {
    await edge.stop();
    await origin.stop();
  }
  console.log(`\n50,000 responses of 16 KiB by Zipf, ${size} MiB of disk: hit ratio in the ${seconds} s before and after a restart`);
  console.log(table([['round', 'before', 'after', 'ready after, s'], ...results.map((r, i) => [i + 1, r.before.toFixed(4), r.after.toFixed(4), (r.ready / 1000).toFixed(2)])]));
  const ok = results.every((r) => r.after > r.before - 0.01);
  console.log(ok ? 'ok' : 'FAILED: the hit ratio fell by more than a hundredth');
  return { results, ok };
}
