// Idle connections: how much memory each takes, and whether 10,000 of them make a hit dearer.

import { spawn } from 'node:child_process';

import { Signal } from '../support/waiting.mjs';
import { load, pinned } from './load.mjs';
import { built } from './programs.mjs';
import { bareOrigin, cpuSeconds, proxies } from './proxies.mjs';
import { summary, table, whole } from './statistics.mjs';

const size = 1024;
const mostBytes = 1024;  // of a plain connection
export const kinds = { plain: [], 'HTTP/2': ['--h2'], TLS: ['--tls'], 'HTTP/2 over TLS': ['--tls', '--h2'] };

// So many connections that have had one answer each. Resolves once they are idle; release() ends them.
async function hold({ port, connections, words }) {
  const [name, ...args] = [...pinned(1), await built('holder'), '--port', port, '--connections', connections, '--target', `/${size}`, '--length', size, ...words].map(String);
  const child = spawn(name, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const signal = new Signal();
  let said = '';
  let ended = false;
  for (const output of [child.stdout, child.stderr]) output.setEncoding('utf8').on('data', (text) => { said += text; signal.changed(); });
  const over = new Promise((resolve) => { child.once('close', () => { ended = true; signal.changed(); resolve(); }); });
  await signal.until(() => {
    if (ended) throw new Error(`the connections were not held: ${said}`);
    return said.includes('holding');
  }, 'the connections to be open', 600_000);
  return async () => {
    child.stdin.end();
    await over;
  };
}

// {bytes: per connection, alone: [CPU seconds per hit], among: [the same with the idle ones]}. `settle`: seconds after which an idle connection has given back
// what it gives back.
export async function measureIdle(kind, { connections, rounds, seconds, settle = 3 }) {
  const origin = await bareOrigin([size], pinned(1));
  const settings = { 'server.max_connections': '200000', 'server.idle_timeout': '1h' };
  const freshet = await proxies.freshet(origin, { workers: 1, wrap: pinned(0), tls: true, settings });
  const perHit = async () => {
    const before = cpuSeconds(freshet.pids());
    const { count, wrong } = await load({ port: freshet.port, target: `/${size}`, length: size, connections: 32, seconds });
    if (wrong) throw new Error(wrong);
    return (cpuSeconds(freshet.pids()) - before) / count;
  };
  const several = async () => {
    const figures = [];
    while (figures.length < rounds) figures.push(await perHit());
    return figures;
  };
  try {
    await perHit();
    // What the first connections of a kind make once (tables, buffers of the worker) is not theirs.
    const held = { port: kind.includes('TLS') ? freshet.tlsPort : freshet.port, words: kinds[kind] };
    await (await hold({ ...held, connections: 100 }))();
    const alone = await several();
    const before = freshet.edge.memory().now;
    const release = await hold({ ...held, connections });
    await new Promise((resolve) => { setTimeout(resolve, 1000 * settle); });
    const bytes = (freshet.edge.memory().now - before) / connections;
    const among = await several();
    await release();
    await freshet.edge.metricsWhen((m) => m.sum('freshet_worker_connections_most') === 0, 'the idle connections to be gone');
    return { bytes, alone: [...alone, ...await several()], among };
  } finally {
    await freshet.stop();
    await origin.stop();
  }
}

export async function idle({ clients = 10_000, rounds = 3, seconds = 3 }) {
  const results = {};
  for (const kind of Object.keys(kinds)) results[kind] = await measureIdle(kind, { connections: clients, rounds, seconds });
  const micro = (list) => (1e6 * summary(list).median).toFixed(2);
  const ratio = ({ alone, among }) => summary(among).median / summary(alone).median;
  console.log(`\n${whole(clients)} connections that had one answer of 1 KiB each and are idle; CPU time of the process for a hit of 1 KiB without and with them`);
  console.log(table([['connections', 'resident bytes each', 'µs alone', 'µs among them', 'ratio'],
    ...Object.entries(results).map(([kind, r]) => [kind, whole(r.bytes), micro(r.alone), micro(r.among), ratio(r).toFixed(2)])]));
  const cheap = results.plain.bytes <= mostBytes;
  const calm = Object.values(results).every((r) => ratio(r) < 1.1);
  if (!cheap) console.log(`FAILED: a plain connection takes more than ${mostBytes} bytes`);
  if (!calm) console.log('FAILED: a hit takes a tenth more CPU time among them');
  if (cheap && calm) console.log('ok');
  return { clients, results, ok: cheap && calm };
}
