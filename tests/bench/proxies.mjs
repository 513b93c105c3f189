// The proxies that are compared, and two that are no proxies: h2o, which serves the origin's files, and `bare`, which only answers prebuilt bytes and so is
// the ceiling. Each configured for the same work on the same cores; a peer's configuration is in peers/NAME/, with its reasons.
//
//   const running = await proxies.nginx(origin, { workers: 1, wrap: pinned(0), logs: false, tls: false });
//   running.port, running.tlsPort, cpuSeconds(running.pids()) ... await running.stop();

import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Edge, freshetBin, temporaryDirectory } from '../support/edge.mjs';
import { accepting, freePort } from '../support/ports.mjs';
import { within } from '../support/waiting.mjs';
import { built } from './programs.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const searched = [...process.env.PATH.split(':'), '/usr/sbin'];

// kind: cache (asks an origin), files (has the origin's), bytes (has them prebuilt). `at` is what the configuration is filled in with.
export const about = {
  freshet: { kind: 'cache', tls: true, h2: true },
  nginx: { kind: 'cache', tls: true, h2: true, package: 'nginx', program: 'nginx', command: (at) => ['-p', at.folder, '-c', `${at.folder}/nginx.conf`, '-e', `${at.folder}/error.log`] },
  varnish: {
    kind: 'cache',
    package: 'varnish',
    program: 'varnishd',
    command: (at) => ['-F', '-j', 'none', '-n', `${at.folder}/work`, '-a', `127.0.0.1:${at.port}`, '-f', `${at.folder}/varnish.vcl`, '-s', 'malloc,4G', '-p', `thread_pools=${at.workers}`],
    logger: (at) => ['varnishncsa', '-n', `${at.folder}/work`, '-w', `${at.folder}/access.log`],
  },
  trafficserver: {
    kind: 'cache',
    tls: true,
    h2: true,
    package: 'trafficserver',
    program: 'traffic_server',
    command: () => [],
    environment: (at) => ({ PROXY_CONFIG_CONFIG_DIR: at.folder, PROXY_CONFIG_LOCAL_STATE_DIR: `${at.folder}/work`, PROXY_CONFIG_LOG_LOGFILE_DIR: `${at.folder}/work` }),
  },
  haproxy: { kind: 'cache', tls: true, h2: true, package: 'haproxy', program: 'haproxy', command: (at) => ['-db', '-f', `${at.folder}/haproxy.cfg`] },
  h2o: { kind: 'files', tls: true, h2: true, package: 'h2o', program: 'h2o', command: (at) => ['-c', `${at.folder}/h2o.conf`] },
  bare: { kind: 'bytes', tls: true },
};

function programOf(name) {
  return searched.map((folder) => path.join(folder, about[name].program)).find((file) => fs.existsSync(file));
}

let help;
const freshetHas = (flag) => (help ??= execFileSync(freshetBin, ['run', '--help'], { encoding: 'utf8' })).includes(flag);

// Why it cannot be measured; undefined: it can.
export function lacking(name, { tls = false, h2 = false } = {}) {
  if (name === 'freshet') return tls && !freshetHas('--tls-listen') ? 'not there yet' : undefined;
  if ((tls && !about[name].tls) || (h2 && !about[name].h2)) return h2 ? 'has no HTTP/2' : 'has no TLS';
  return about[name].program && programOf(name) === undefined ? `not installed (Debian package ${about[name].package})` : undefined;
}

export function version(name) {
  if (!about[name].package) return '';
  try {
    return execFileSync('dpkg-query', ['-W', '-f=${Version}', about[name].package], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

// One key pair for all: ECDSA, P-256. haproxy wants both in one file.
let pair;
function keyPair() {
  if (pair) return pair;
  const folder = temporaryDirectory('freshet-keys-');
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  fs.chmodSync(folder, 0o755);
  pair = { certificate: `${folder}/certificate.pem`, key: `${folder}/key.pem`, both: `${folder}/both.pem` };
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-subj', '/CN=bench.example',
    '-keyout', pair.key, '-out', pair.certificate], { stdio: 'ignore' });
  fs.writeFileSync(pair.both, fs.readFileSync(pair.certificate, 'utf8') + fs.readFileSync(pair.key, 'utf8'));
  return pair;
}

// ${name} is replaced; a line that begins with @word is kept where that is so.
function fill(text, at) {
  const kept = { tls: at.tls, plain: !at.tls, logs: at.logs, quiet: !at.logs, root: process.getuid() === 0 };
  return text.split('\n')
    .map((line) => [line, /^@(\w+) /.exec(line)])
    .filter(([, marked]) => !marked || kept[marked[1]])
    .map(([line, marked]) => (marked ? line.slice(marked[0].length) : line).replace(/\$\{(\w+)\}/g, (_, name) => at[name]))
    .join('\n');
}

// What runs, so that an interrupted benchmark leaves nothing behind.
const running = new Set();
let interrupted = false;
export function stopAll() {
  interrupted = true;
  return Promise.allSettled([...running].map((each) => each.stop()));
}
function goOn() {
  if (interrupted) throw new Error('interrupted');
}

// A program in a folder of its own, with its configuration, on free ports.
class Program {
  static async start(name, options) {
    for (let attempt = 1; ; ++attempt) {
      const program = new Program(name, { ...options, port: await freePort(), tlsPort: await freePort() });
      try {
        await program.#spawn();
        return program;
      } catch (error) {
        await program.stop();
        if (attempt === 3) throw error;
      }
    }
  }

  constructor(name, options) {
    this.name = name;
    const sendfile = (options.sizes ?? [Infinity]).every((size) => size < 32 * 1024) ? 'off' : 'on';
    this.at = { ...options, sendfile, folder: temporaryDirectory(`freshet-${name}-`), ...(options.tls ? keyPair() : {}) };
    fs.chmodSync(this.at.folder, 0o755);
    for (const each of ['work', 'cache']) {
      fs.mkdirSync(path.join(this.at.folder, each));
      fs.chmodSync(path.join(this.at.folder, each), 0o777);
    }
    const configuration = path.join(here, 'peers', name);
    for (const file of fs.existsSync(configuration) ? fs.readdirSync(configuration) : []) {
      fs.writeFileSync(path.join(this.at.folder, file), fill(fs.readFileSync(path.join(configuration, file), 'utf8'), this.at));
    }
    this.children = [];
    running.add(this);
  }

  get port() { return this.at.port; }
  get tlsPort() { return this.at.tlsPort; }
  get url() { return `http://127.0.0.1:${this.port}`; }
  get folder() { return this.at.folder; }

  #run([command, ...args], environment = {}) {
    goOn();
    const output = fs.openSync(path.join(this.at.folder, 'output'), 'a');
    const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ['ignore', output, output] });
    fs.closeSync(output);
    this.children.push(child);
    child.ended = new Promise((resolve) => { child.once('error', resolve).once('close', resolve); });
    return child;
  }

  async #spawn() {
    const { command, environment, logger } = about[this.name];
    const [program, words] = this.name === 'bare' ? [await built('bare_server'), bareWords(this.at)] : [programOf(this.name), command(this.at)];
    const { ended } = this.#run([...this.at.wrap, program, ...words], environment?.(this.at));
    try {
      await within(accepting(this.at.tls ? this.tlsPort : this.port, ended), `${this.name} to accept connections`);
    } catch (error) {
      throw new Error(`${this.name} did not start (${error.message}): ${fs.readFileSync(path.join(this.at.folder, 'output'), 'utf8').trim().split('\n').slice(-3).join(' | ')}`);
    }
    if (this.at.logs && logger) this.#run([...this.at.wrap, ...logger(this.at)]);
    // Once more, as Traffic Server gives its threads all cores.
    const [, ...where] = this.at.wrap;
    if (where.length > 0) for (const pid of this.pids()) execFileSync('taskset', ['-a', '-p', ...where, String(pid)], { stdio: 'ignore' });
  }

  pids() { return this.children.flatMap((child) => family(child.pid)); }

  async stop() {
    for (const child of this.children.filter((each) => each.exitCode === null && each.pid !== undefined)) {
      child.kill('SIGTERM');
      // Some wait for idle clients.
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await child.ended;
      clearTimeout(timer);
    }
    fs.rmSync(this.at.folder, { recursive: true, force: true, maxRetries: 5 });
    running.delete(this);
  }
}

const bareWords = ({ tls, port, tlsPort, folder, sizes, certificate, key }) => (
  [String(tls ? tlsPort : port), `${folder}/cache`, ...sizes.map(String), ...(tls ? ['--tls', certificate, key] : [])]);

// The origin of the rows: the same program as the ceiling. requests(): how many it has answered, these questions not counted.
export async function bareOrigin(sizes, wrap) {
  const program = await Program.start('bare', { sizes, wrap, tls: false, logs: false });
  return {
    port: program.port,
    url: program.url,
    sizes,
    files: path.join(program.folder, 'cache'),
    requests: async () => Number(await (await fetch(`${program.url}/requests`)).text()),
    stop: () => program.stop(),
  };
}

// The process, its children and theirs.
function family(pid) {
  try {
    const children = fs.readdirSync(`/proc/${pid}/task`).flatMap((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number));
    return [pid, ...children.flatMap(family)];
  } catch {
    return [];
  }
}

async function startFreshet(origin, { workers, wrap = [], settings = {}, tls = false, logs = false }) {
  const folder = temporaryDirectory('freshet-logs-');
  const tlsPort = await freePort();
  const flags = tls ? ['--tls-listen', `127.0.0.1:${tlsPort}`, '--tls-cert', keyPair().certificate, '--tls-key', keyPair().key] : [];
  const accessLog = logs ? path.join(folder, 'access.log') : 'off';
  goOn();
  const edge = await Edge.start({ origin: origin.url, workers, wrap, accessLog, settings, flags });
  const started = {
    edge,
    port: edge.port,
    tlsPort,
    pids: () => [edge.pid],
    stop: async () => {
      running.delete(started);
      fs.rmSync(folder, { recursive: true, force: true });
      await edge.stop();
    },
  };
  running.add(started);
  return started;
}

const startPeer = (name) => (origin, { workers, wrap = [], tls = false, logs = false }) => (
  Program.start(name, { workers, wrap, tls, logs, origin: origin.port, files: origin.files, sizes: origin.sizes }));

export const proxies = { ...Object.fromEntries(Object.keys(about).map((name) => [name, startPeer(name)])), freshet: startFreshet };

const ticksPerSecond = 100;  // USER_HZ

// CPU seconds, user and system, of these processes with all their threads.
export function cpuSeconds(pids) {
  const ticks = pids.map((pid) => {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, n) => sum + n, 0) / ticksPerSecond;
}
