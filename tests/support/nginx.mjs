// Debian's nginx as a real origin, or as the peer that freshet is compared with: a generated configuration in a temporary prefix, on a free port, never
// the system's own.
//
//   const nginx = await Nginx.start({ server: (n) => `root ${n.prefix}/www; etag on;` });
//   nginx.write('page.html', '...'); nginx.port; await nginx.logged(r => r.uri === '/page.html', 2);
//
// Its access log has one JSON record per request with the conditional request fields: {method, uri, status, inm, ims, bytes, via}.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { temporaryDirectory } from './edge.mjs';
import { accepting, freePort } from './ports.mjs';
import { eventually, within } from './waiting.mjs';

const binary = process.env.NGINX_BIN ?? '/usr/sbin/nginx';

export class Nginx {
  // server: text inside server {}; http: text inside http {} before it; log: whether there is an access log; wrap: words before the command (taskset ...).
  static async start(options = {}) {
    for (let attempt = 1; ; ++attempt) {
      const nginx = new Nginx(await freePort(), options);
      try {
        await nginx.#spawn();
        return nginx;
      } catch (error) {
        await nginx.stop();
        if (attempt === 5) throw error;
      }
    }
  }

  constructor(port, { server = (n) => `root ${n.prefix}/www;`, http = () => '', workers = 1, log = true, wrap = [] } = {}) {
    this.port = port;
    this.wrap = wrap;
    this.prefix = temporaryDirectory('freshet-nginx-');
    fs.chmodSync(this.prefix, 0o755);
    for (const name of ['www', 'tmp', 'cache']) {
      fs.mkdirSync(path.join(this.prefix, name));
      fs.chmodSync(path.join(this.prefix, name), 0o777);
    }
    this.accessLog = path.join(this.prefix, 'access.log');
    this.errorLog = path.join(this.prefix, 'error.log');
    fs.writeFileSync(path.join(this.prefix, 'nginx.conf'), this.#configuration({ server, http, workers, log }));
  }

  get url() { return `http://127.0.0.1:${this.port}`; }

  #configuration({ server, http, workers, log }) {
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((n) => `${n}_temp_path ${this.prefix}/tmp/${n};`).join('\n  ');
    return `
${process.getuid() === 0 ? 'user root;' : ''}
worker_processes ${workers};
daemon off;
pid ${this.prefix}/nginx.pid;
error_log ${this.errorLog} warn;
events { worker_connections 4096; }
http {
  ${temp}
  types { text/html html; text/css css; text/plain txt; application/javascript js; image/png png; application/json json; }
  default_type application/octet-stream;
  log_format records escape=json '{"method":"$request_method","uri":"$request_uri","status":$status,"inm":"$http_if_none_match","ims":"$http_if_modified_since","bytes":$body_bytes_sent,"via":"$http_via"}';
  access_log ${log ? `${this.accessLog} records` : 'off'};
  ${http(this)}
  server {
    listen 127.0.0.1:${this.port} backlog=4096;
    ${server(this)}
  }
}
`;
  }

  async #spawn() {
    const [command, ...rest] = [...this.wrap, binary];
    this.child = spawn(command, [...rest, '-p', this.prefix, '-c', path.join(this.prefix, 'nginx.conf'), '-e', this.errorLog], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    this.child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => { stderr += error; resolve(); });
      this.child.once('close', () => resolve());
    });
    try {
      await within(accepting(this.port, this.exited), 'nginx to accept connections');
    } catch (error) {
      throw new Error(`${error.message}: ${stderr}`);
    }
  }

  // Writes a file below the document root, replacing it at once, with `mtime` (a Date) as its Last-Modified.
  write(name, content, mtime = new Date()) {
    const file = path.join(this.prefix, 'www', name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(`${file}.new`, content, { mode: 0o644 });
    fs.utimesSync(`${file}.new`, mtime, mtime);
    fs.renameSync(`${file}.new`, file);
  }

  remove(name) { fs.rmSync(path.join(this.prefix, 'www', name)); }

  records() {
    if (!fs.existsSync(this.accessLog)) return [];
    return fs.readFileSync(this.accessLog, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
  }

  // Resolves with the matching records once there are at least n (nginx writes a record when the response has been sent).
  logged(test, n = 1) {
    return eventually(() => {
      const found = this.records().filter(test);
      return found.length >= n && found;
    }, () => `${n} records in nginx's access log; there are ${JSON.stringify(this.records())}`);
  }

  // Process ids of master and workers.
  pids() {
    const children = fs.readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, 'latin1').trim();
    return [this.child.pid, ...children.split(' ').filter(Boolean).map(Number)];
  }

  // Stops the process; resume() starts it again on the same port with the same files.
  async pause() {
    this.child.kill('SIGTERM');
    await within(this.exited, 'nginx to end');
  }

  resume() { return this.#spawn(); }

  async stop() {
    if (this.child !== undefined && this.child.exitCode === null) {
      this.child.kill('SIGTERM');
      await within(this.exited, 'nginx to end');
    }
    fs.rmSync(this.prefix, { recursive: true, force: true });
  }
}
