// wrk as the load: a core of its own, and what it says as numbers.

import { execFile, spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'urls.lua');
const cores = os.cpus().length;

export const pinned = (core) => (cores > 1 ? ['taskset', '-c', String(core)] : []);

function command(url, seconds, { connections = 32, urls }) {
  const words = [...pinned(1), 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '--latency'];
  return urls ? [...words, '-s', script, url, '--', ...urls.map(String)] : [...words, url];
}

const units = { us: 1e-3, ms: 1, s: 1000, m: 60000 };
function milliseconds(text) {
  const [, value, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text);
  return Number(value) * units[unit];
}

// urls: [mode, format, count] of urls.lua; none: one URL. Throws where an answer was not 2xx or 3xx.
export async function wrk(url, seconds, options = {}) {
  const [name, ...args] = command(url, seconds, options);
  const { stdout } = await run(name, args);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk met errors:\n${stdout}`);
  const at = (percent) => milliseconds(new RegExp(`^\\s+${percent}%\\s+(\\S+)`, 'm').exec(stdout)[1]);
  return { count: Number(/(\d+) requests in/.exec(stdout)[1]), perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]), p50: at(50), p99: at(99) };
}

// Runs until `enough()` (asked every so often) is true.
export async function wrkUntil(url, options, enough, each = 200) {
  const [name, ...args] = command(url, 36000, options);
  const child = spawn(name, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => { child.once('close', resolve); });
  try {
    while (!await enough()) {
      if (child.exitCode !== null) throw new Error('wrk ended before it was enough');
      await new Promise((resolve) => { setTimeout(resolve, each); });
    }
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}
