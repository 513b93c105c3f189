// The load, on a core of its own, and what it says as numbers: our loader, which looks at every answer; h2load for HTTP/2; and wrk.

import { execFile, spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { built } from './programs.mjs';

const run = promisify(execFile);
const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'urls.lua');
const cores = os.cpus().length;

export const pinned = (core) => (cores > 1 ? ['taskset', '-c', String(core)] : []);

function command(url, seconds, { connections = 32, urls, host }) {
  const words = [...pinned(1), 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '--latency', ...(host ? ['-H', `Host: ${host}`] : [])];
  return urls ? [...words, '-s', script, url, '--', ...urls.map(String)] : [...words, url];
}

const units = { us: 1e-3, ms: 1, s: 1000, m: 60000 };
function milliseconds(text) {
  const [, value, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text);
  return Number(value) * units[unit];
}

// urls: [mode, format, count] of urls.lua; none: one URL. host: the Host field, where it is not the URL's. Throws where an answer was not 2xx or 3xx.
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

// loader.cc: options are its flags; `fields` a list of header lines. {count, wrong, perSecond, p50, p99, seconds}.
export async function load({ fields = [], ...options }) {
  const words = Object.entries(options).filter(([, value]) => value !== undefined).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const [name, ...args] = [...pinned(1), await built('loader'), ...words, ...fields.flatMap((field) => ['--field', field])];
  const { answers, wrong, firstWrong, seconds, p50, p99 } = JSON.parse((await run(name, args)).stdout);
  return { count: answers, wrong: wrong > 0 ? `${wrong} wrong answers, first: ${firstWrong.split('\r\n')[0]}` : undefined, perSecond: answers / seconds, p50, p99, seconds };
}

// So many requests over TLS and HTTP/2; every one has to be answered 200 with `length` bytes.
export async function h2load({ port, target, length, requests, connections = 32, streams = 16 }) {
  const words = ['h2load', '-t1', `-c${connections}`, `-m${streams}`, `-n${requests}`, `https://127.0.0.1:${port}${target}`];
  const [name, ...args] = [...pinned(1), ...words];
  const { stdout } = await run(name, args);
  const number = (pattern) => Number(pattern.exec(stdout)?.[1] ?? NaN);
  const found = { protocol: /Application protocol: (\S+)/.exec(stdout)?.[1], succeeded: number(/(\d+) succeeded/), ok: number(/status codes: (\d+) 2xx/), bytes: number(/\((\d+)\) data/) };
  const right = found.succeeded === requests && found.ok === requests && found.bytes === requests * length;
  if (found.protocol !== 'h2') return { wrong: `no HTTP/2, the protocol is ${found.protocol}` };
  const perSecond = number(/finished in .*, ([\d.]+) req\/s/);
  return { count: requests, wrong: right ? undefined : `h2load says ${JSON.stringify(found)}`, perSecond, seconds: requests / perSecond };
}
