// A freshet process under test.
//
//   const edge = await Edge.start({ origin: origin.url, settings: { 'cache.set_cookie': 'rfc' } });
//   ... edge.port (and edge.tlsPort, with tls.listen), edge.get('/x'), edge.accessLine(l => l.target === '/x'), edge.metrics() ...
//   await edge.stop();   // SIGTERM; anything but exit status 0 is an error that shows stderr
//
// The binary is $FRESHET_BIN. Each edge has a cache directory of its own under the temporary directory, removed at stop() unless it was given. A sanitizer
// report makes the process exit with status 66, so stop() finds it.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { connectTo, fetchFrom, listenFlags, overTls, scheme } from './protocol.mjs';
import { Signal, eventually, within } from './waiting.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const freshetBin = path.resolve(process.env.FRESHET_BIN ?? path.join(root, 'build/release/proxy/freshet'));

// A path short enough for a Unix socket inside it.
export function temporaryDirectory(prefix = 'freshet-') {
  return fs.mkdtempSync(path.join(os.tmpdir(), prefix));
}

const sanitizerOptions = {
  ASAN_OPTIONS: 'exitcode=66:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'exitcode=66:halt_on_error=1:print_stacktrace=1',
  TSAN_OPTIONS: `exitcode=66:halt_on_error=1:history_size=7:suppressions=${path.join(root, 'tests/support/tsan.supp')}`,
};

export function environment() {
  const env = { ...process.env };
  for (const [name, value] of Object.entries(sanitizerOptions)) {
    if (name === 'TSAN_OPTIONS' && !fs.existsSync(path.join(root, 'tests/support/tsan.supp'))) {
      env[name] ??= 'exitcode=66:halt_on_error=1';
    }
    env[name] ??= value;
  }
  return env;
}

// Is the binary instrumented? Sanitizers keep freed memory, so bounds on resident memory mean nothing there.
let instrumented;
export function sanitized() {
  if (instrumented === undefined) {
    const bytes = fs.readFileSync(freshetBin);
    instrumented = ['__asan_init', '__tsan_init', '__msan_init'].some((symbol) => bytes.includes(symbol));
  }
  return instrumented;
}

function settingFlags(settings) {
  return Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
}

// Runs the binary to its end: {status, signal, stdout, stderr}.
export async function runToEnd(args, { env, cwd, uid, gid, bin = freshetBin } = {}) {
  const child = spawn(bin, args, { env: { ...environment(), ...env }, cwd, uid, gid, stdio: ['ignore', 'pipe', 'pipe'] });
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { out[name] += text; });
  try {
    const [status, signal] = await within(new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...both) => resolve(both));
    }), () => `${args.join(' ')} to end; stderr: ${out.stderr}`);
    return { status, signal, ...out };
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
  }
}

export class Edge {
  #signal = new Signal();
  #partial = { stdout: '', stderr: '' };
  #ownsDirectory;
  stderr = '';
  log = [];       // lines of the event log (stderr)
  access = [];    // access log records, parsed
  exit = undefined;

  // settings: {'server.head_timeout': '1s', ...}; flags: further command line words; accessLog: where the access log goes ('-' is read here); wrap: words
  // before the command; env: further variables. With null for listen or accessLog, a file among the flags says it. listening: what the edge listens on, as it says; port and tlsPort: the first of them.
  static async start(options = {}) {
    const edge = new Edge(options);
    await edge.spawn();
    return edge;
  }

  constructor({ origin, settings = {}, flags = [], cacheDir, workers = 2, listen = '127.0.0.1:0', accessLog = '-', wrap = [], env = {}, bin = freshetBin } = {}) {
    this.env = env;
    this.bin = bin;
    this.#ownsDirectory = cacheDir === undefined;
    this.cacheDir = cacheDir ?? temporaryDirectory();
    this.wrap = wrap;
    this.args = ['run'];
    if (origin !== undefined) this.args.push('--origin', origin);
    if (listen !== null) this.args.push('--listen', listen);
    this.args.push('--cache-dir', this.cacheDir, '--workers', String(workers));
    this.args.push(...settingFlags({ ...(accessLog === null ? {} : { 'log.access': accessLog }), ...settings }), ...flags);
    if (!this.args.some((word) => /tls[-.]listen/.test(word))) this.args.push(...listenFlags());
  }

  // Starts the process (again, after kill()) and waits for the line that says ready.
  async spawn() {
    this.exit = undefined;
    this.listening = undefined;
    const [command, ...rest] = [...this.wrap, this.bin, ...this.args];
    this.child = spawn(command, rest, { env: { ...environment(), ...this.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#follow('stdout');
    this.#follow('stderr');
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => { this.exit = { error }; this.#signal.changed(); resolve(this.exit); });
      this.child.once('close', (status, signal) => { this.exit = { status, signal }; this.#signal.changed(); resolve(this.exit); });
    });
    await this.#signal.until(() => {
      if (this.exit) throw new Error(`freshet did not start: ${this.#ending()}`);
      return this.listening !== undefined;
    }, () => `freshet to say that it is ready; stderr: ${this.stderr}`);
    return this;
  }

  // Of the process that serves; after upgrade() not the one that was started.
  get pid() { return this.upgraded ?? this.child.pid; }
  // What its clients speak (protocol.mjs), and where.
  get scheme() { return scheme; }
  get authority() { return `127.0.0.1:${overTls ? this.tlsPort : this.port}`; }
  get url() { return `${scheme}://${this.authority}`; }
  // The same in clear, whatever they speak.
  get clearUrl() { return `http://127.0.0.1:${this.port}`; }

  #follow(name) {
    this.#partial[name] = '';
    this.child[name].setEncoding('utf8').on('data', (text) => {
      if (name === 'stderr') this.stderr += text;
      const lines = (this.#partial[name] + text).split('\n');
      this.#partial[name] = lines.pop();
      for (const line of lines) this.#line(line);
      this.#signal.changed();
    });
  }

  #line(line) {
    if (line.startsWith('{')) {
      try {
        this.access.push(JSON.parse(line));
        return;
      } catch { /* an event log line */ }
    }
    this.log.push(line);
    const ready = /ready: listening on (.*), origin /.exec(line);
    if (!ready) return;
    this.listening = ready[1].split(/, | and /);
    const portOf = (scheme) => Number(this.listening.map((one) => new RegExp(`^${scheme}://.*:(\\d+)$`).exec(one)).find(Boolean)?.[1]);
    this.port = portOf('http') || undefined;
    this.tlsPort = portOf('https') || undefined;
  }

  #ending() {
    const { status, signal, error } = this.exit;
    return `${error ?? `exit status ${status}, signal ${signal}`}\n--- stderr\n${this.stderr}---`;
  }

  // Resolves with the first event log line that matches.
  logLine(pattern) {
    return this.#signal.until(() => this.log.find((line) => pattern.test(line)), () => `a log line ${pattern}; stderr: ${this.stderr}`);
  }

  // Resolves with the first access log record for which `test` holds, or with the n-th.
  accessLine(test, n = 1) {
    return this.#signal.until(() => {
      const found = this.access.filter(test);
      return found.length >= n && found[n - 1];
    }, () => `an access log line; there are ${JSON.stringify(this.access.slice(-20))}`);
  }

  // The program on disk takes over, all of it: the disk tier is open. The processes before end on their own. Resolves with the
  // command's end, whatever it is.
  async upgrade(bin = freshetBin) {
    const ended = await runToEnd(['upgrade', '--cache-dir', this.cacheDir], { bin });
    const process = /^upgraded: process (\d+) serves$/m.exec(ended.stdout);
    if (process) this.upgraded = Number(process[1]);
    return ended;
  }

  // SIGTERM, then exit status 0 or an error.
  async stop() {
    if (this.child === undefined) return;
    const running = this.exit === undefined;
    if (running && this.child.exitCode === null) this.child.kill('SIGTERM');
    if (running && this.upgraded !== undefined) process.kill(this.upgraded, 'SIGTERM');
    try {
      await within(this.exited, () => `freshet to end after SIGTERM; stderr: ${this.stderr}`);
    } catch (error) {
      this.child.kill('SIGKILL');
      await this.exited;
      throw error;
    } finally {
      this.child = undefined;
      if (this.#ownsDirectory) fs.rmSync(this.cacheDir, { recursive: true, force: true });
    }
    // The one that was started may have been killed by a test after another had taken over.
    if (this.exit.status !== 0 && this.killed !== true) throw new Error(`freshet ended badly: ${this.#ending()}`);
  }

  // SIGTERM and exit status 0, and the cache directory stays: spawn() starts it again.
  async stopForRestart() {
    this.child.kill('SIGTERM');
    await within(this.exited, () => `freshet to end after SIGTERM; stderr: ${this.stderr}`);
    if (this.exit.status !== 0) throw new Error(`freshet ended badly: ${this.#ending()}`);
  }

  // kill -9; the cache directory stays.
  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  // The data plane.
  connect(options) { return connectTo(this, options); }
  get(target, options) { return fetchFrom(this, target, options); }

  // The admin plane, over its Unix socket: {status, fields, text}.
  admin(target) {
    return within(new Promise((resolve, reject) => {
      const request = http.request({ socketPath: path.join(this.cacheDir, 'admin.sock'), path: target, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => {
          resolve({ status: response.statusCode, fields: response.headers, text });
        });
      });
      request.once('error', reject);
      request.end();
    }), `the admin plane to answer ${target}`);
  }

  async metrics() {
    const { status, text } = await this.admin('/metrics');
    if (status !== 200) throw new Error(`/metrics answers ${status}`);
    return new Metrics(text);
  }

  // Resolves with the metrics once `test(metrics)` is truthy.
  metricsWhen(test, what = `metrics where ${test}`) {
    let last;
    return eventually(async () => {
      last = await this.metrics();
      return test(last) && last;
    }, () => `${what}; the last were\n${last?.text}`);
  }

  // Memory of the process in bytes: resident now, and the highest so far.
  memory() {
    const text = fs.readFileSync(`/proc/${this.pid}/status`, 'latin1');
    const kib = (name) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]);
    return { now: kib('VmRSS'), highest: kib('VmHWM') };
  }

  // Fails where the process has at some time been larger by more than `bytes` than `before` (a memory() of earlier).
  expectGrownBy(before, bytes) {
    const grown = this.memory().highest - before.now;
    if (grown > bytes && !sanitized()) throw new Error(`the edge grew by ${grown} bytes, more than ${bytes}`);
  }
}

// The Prometheus text format, as far as the tests need it.
export class Metrics {
  constructor(text) {
    this.text = text;
    this.samples = [];
    for (const line of text.split('\n')) {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match === null) continue;
      const labels = Object.fromEntries([...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]));
      this.samples.push({ name: match[1], labels, value: Number(match[3]) });
    }
  }

  has(name) { return this.samples.some((s) => s.name === name); }

  // The sum over all samples of that name whose labels include the given ones.
  sum(name, labels = {}) {
    return this.samples
      .filter((s) => s.name === name && Object.entries(labels).every(([k, v]) => s.labels[k] === v))
      .reduce((total, s) => total + s.value, 0);
  }
}
