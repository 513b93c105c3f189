// What it costs to be looked at: hits of 1 KiB with the access log, a scrape of /metrics each second, and both, beside an edge that does neither. One edge
// for each, in interleaved rounds, all on one core, the load on another; requests per CPU-second of the process, its log's thread included.

import fs from 'node:fs';
import path from 'node:path';

import { Edge, temporaryDirectory } from '../support/edge.mjs';
import { load, pinned } from './load.mjs';
import { bareOrigin, cpuSeconds } from './proxies.mjs';
import { summary, table, whole } from './statistics.mjs';

const size = 1024;
const most = 0.05;

// settings; scraped: by a Prometheus, so to speak; watched: by freshet top. Only `both` has to stay below the bound.
const kinds = {
  nothing: {},
  metrics: { scraped: true },
  log: { log: true },
  both: { log: true, scraped: true, bound: true },
  'both, combined': { log: true, scraped: true, settings: { 'log.format': 'combined' } },
  'both, ids': { log: true, scraped: true, settings: { 'log.request_id': 'true' } },
  'freshet top': { watched: true },
};

function everySecond(action) {
  let busy = Promise.resolve();
  const timer = setInterval(() => { busy = busy.then(action); }, 1000);
  return async () => {
    clearInterval(timer);
    await busy;
  };
}

async function round(running, seconds) {
  const { edge, kind, file } = running;
  const looks = { scraped: () => edge.metrics(), watched: () => Promise.all([edge.admin('/v1/stats'), edge.admin('/v1/top')]) };
  const stop = Object.entries(looks).filter(([name]) => kind[name]).map(([, look]) => everySecond(look));
  const cpu = cpuSeconds([edge.pid]);
  const result = await load({ port: edge.port, target: `/${size}`, length: size, connections: 32, seconds });
  for (const each of stop) await each();
  if (result.wrong) throw new Error(result.wrong);
  // The file would fill the disk.
  if (file) fs.truncateSync(file);
  return result.count / (cpuSeconds([edge.pid]) - cpu);
}

export async function observed({ rounds = 9, seconds = 2 }) {
  const origin = await bareOrigin([size], pinned(1));
  const folder = temporaryDirectory('freshet-observed-');
  const running = [];
  try {
    for (const [name, kind] of Object.entries(kinds)) {
      const file = kind.log && path.join(folder, `${running.length}.log`);
      const edge = await Edge.start({ origin: origin.url, workers: 1, wrap: pinned(0), accessLog: file ?? 'off', settings: kind.settings });
      running.push({ name, kind, edge, file, rounds: [] });
      await load({ port: edge.port, target: `/${size}`, length: size, connections: 1, requests: 20 });
    }
    for (let i = 0; i <= rounds; ++i) {
      for (const each of running) {
        const perCpuSecond = await round(each, seconds);
        // The first is for warming up.
        if (i > 0) each.rounds.push(perCpuSecond);
      }
    }
    for (const { name, kind, edge } of running) {
      const lost = (await edge.metrics()).sum('freshet_access_log_dropped_total');
      if (kind.log && lost > 0) console.log(`${name}: ${whole(lost)} lines were lost`);
    }
    return report(running);
  } finally {
    for (const { edge } of running) await edge.stop();
    await origin.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function report(running) {
  const [nothing] = running;
  const results = running.map(({ name, kind, rounds }) => ({
    name,
    bound: kind.bound,
    perCpuSecond: summary(rounds),
    // Round by round, since both were disturbed alike.
    cost: summary(rounds.map((perCpuSecond, i) => nothing.rounds[i] / perCpuSecond - 1)),
  }));
  const percent = (part) => `${(100 * part).toFixed(1)} %`;
  console.log(`\nhits of 1 KiB, one worker on one core, ${nothing.rounds.length} interleaved rounds: what is looked at, and what it costs`);
  console.log(table([
    ['looked at by', 'req / CPU-s', 'least', 'most', 'CPU more', 'least', 'most'],
    ...results.map(({ name, perCpuSecond: r, cost: c }) => [name, whole(r.median), whole(r.least), whole(r.most), percent(c.median), percent(c.least), percent(c.most)]),
  ]));
  const ok = results.every(({ bound, cost }) => !bound || cost.median < most);
  console.log(ok ? 'ok' : `FAILED: log and scrapes together are to cost less than ${percent(most)}`);
  return { results, ok };
}
