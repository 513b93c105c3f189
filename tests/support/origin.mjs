// A scripted origin: a raw TCP server that shows each request byte for byte and answers whatever a test wants, well-formed or not.
//
//   const origin = await Origin.start();
//   origin.on('/a', { fields: { 'cache-control': 'max-age=60' }, body: 'hello' });
//   origin.on('/b', async (request, reply) => { await gate.opened; reply.send(200, {}, 'late'); });
//   origin.requestsFor('/a').length
//
// A handler runs when the request's head is there; `await request.whole()` waits for the body (the origin reads on by itself unless
// request.pauseReading() was called). Requests on one connection are answered in order. A path without a handler is answered 404 with no-store.

import net from 'node:net';

import { ByteReader, EndOfInput } from './byte_reader.mjs';
import { chunk, fieldLines, hasField, lastChunk, parseFields, valueOf } from './message.mjs';
import { gate, Signal } from './waiting.mjs';

export class OriginRequest {
  #body = [];
  #whole = gate();
  #signal = new Signal();
  complete = false;   // the body arrived whole
  broken = undefined; // why it did not
  bodyBytes = 0;

  constructor(headBytes, connection) {
    this.headBytes = headBytes;
    this.connection = connection;
    const text = headBytes.toString('latin1');
    const lineEnd = text.indexOf('\r\n');
    this.requestLine = text.slice(0, lineEnd);
    const [method, target, version] = this.requestLine.split(' ');
    this.method = method;
    this.target = target;
    this.version = version;
    this.path = target.split('?')[0];
    this.fields = parseFields(text.slice(lineEnd + 2, -2));
  }

  field(name) { return valueOf(this.fields, name); }
  has(name) { return hasField(this.fields, name); }
  get names() { return this.fields.map(([name]) => name.toLowerCase()); }
  get body() { return Buffer.concat(this.#body); }

  // Resolves when the body is there, with true, or has been cut off or is malformed, with false.
  async whole() { await this.#whole.opened; return this.complete; }
  bodyReached(bytes) { return this.#signal.until(() => this.bodyBytes >= bytes || this.broken, `${bytes} bytes of a request body`); }
  pauseReading() { this.connection.socket.pause(); }
  resumeReading() { this.connection.socket.resume(); }
  // Resolves when the edge has left this connection.
  gone() { return this.connection.in.finished('the edge to leave the origin connection'); }

  take(bytes) {
    if (this.connection.origin.keepBodies) this.#body.push(bytes);
    this.bodyBytes += bytes.length;
    this.#signal.changed();
  }

  finish(broken) {
    this.broken = broken;
    this.complete = broken === undefined;
    this.#whole.open();
    this.#signal.changed();
  }
}

export class Reply {
  closing = false;

  constructor(socket, request) {
    this.socket = socket;
    this.request = request;
  }

  // Bytes as given.
  write(bytes) {
    this.socket.write(bytes);
    return this;
  }

  // Resolves when the bytes were handed to the kernel: for bodies larger than what should pile up here.
  written(bytes) {
    return new Promise((resolve) => { this.socket.write(bytes, () => resolve()); });
  }

  head(status, fields = {}, reason = '') {
    return this.write(`HTTP/1.1 ${status} ${reason}\r\n${fieldLines(fields)}\r\n`);
  }

  chunk(data) { return this.write(chunk(data)); }
  lastChunk() { return this.write(lastChunk); }

  // A whole well-formed response with Content-Length and Date (unless given).
  send(status, fields = {}, body = '') {
    const bytes = Buffer.from(body);
    const list = Array.isArray(fields) ? fields : Object.entries(fields);
    const has = (name) => list.some(([n]) => n.toLowerCase() === name);
    const extra = [];
    if (!has('date')) extra.push(['Date', new Date().toUTCString()]);
    const bodyless = status === 204 || status === 304 || status < 200;
    if (!bodyless && !has('content-length') && !has('transfer-encoding')) extra.push(['Content-Length', String(bytes.length)]);
    this.head(status, [...extra, ...list]);
    if (!bodyless && this.request.method !== 'HEAD') this.write(bytes);
    return this;
  }

  // In order (FIN after what was written) ...
  end() { this.closing = true; this.socket.end(); }
  // ... and at once (RST).
  reset() { this.closing = true; this.socket.resetAndDestroy(); }
  destroy() { this.closing = true; this.socket.destroy(); }
}

export class Origin {
  #server;
  #handlers = new Map();
  #fallback = (request, reply) => reply.send(404, { 'cache-control': 'no-store' }, 'no handler');
  #sockets = new Set();
  #signal = new Signal();
  requests = [];
  connections = 0;  // accepted so far
  keepBodies = true;
  errors = [];      // malformed requests: text

  static async start({ port = 0 } = {}) {
    const origin = new Origin();
    await origin.listen(port);
    return origin;
  }

  async listen(port = this.port ?? 0) {
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', 1024, resolve);
    });
    this.port = this.#server.address().port;
  }

  get url() { return `http://127.0.0.1:${this.port}`; }
  get authority() { return `127.0.0.1:${this.port}`; }
  get openConnections() { return this.#sockets.size; }

  // `handler`: (request, reply) => ..., or {status, fields, body}.
  on(path, handler) {
    this.#handlers.set(path, typeof handler === 'function' ? handler : (_, reply) => {
      reply.send(handler.status ?? 200, handler.fields ?? {}, handler.body ?? '');
    });
    return this;
  }

  // For every path without a handler of its own.
  otherwise(handler) { this.#fallback = handler; }

  requestsFor(path) { return this.requests.filter((r) => r.path === path); }

  // Resolves with the requests for `path` when there are at least n.
  received(path, n = 1) {
    return this.#signal.until(() => {
      const found = this.requestsFor(path);
      return found.length >= n && found;
    }, () => `${n} origin requests for ${path} (there were ${this.requestsFor(path).length})`);
  }

  // Resolves when there have been at least n requests for any path.
  receivedInAll(n) {
    return this.#signal.until(() => this.requests.length >= n, () => `${n} origin requests (there were ${this.requests.length})`);
  }

  // Stops listening and drops every connection; listen() brings it back on the same port.
  async down() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => { this.#server.close(resolve); });
  }

  async stop() { if (this.#server.listening) await this.down(); }

  async #serve(socket) {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    const connection = { id: ++this.connections, socket, in: new ByteReader(socket), origin: this };
    socket.on('close', () => this.#sockets.delete(socket));
    try {
      while (await this.#serveOne(connection)) { /* the next request */ }
    } catch (error) {
      if (!(error instanceof EndOfInput)) this.errors.push(String(error));
    }
    if (!socket.destroyed) socket.end();
  }

  async #serveOne(connection) {
    let head;
    try {
      head = await connection.in.takeThrough('\r\n\r\n', 'a request head').catch((error) => {
        if (connection.in.ended || connection.in.error) throw error;
        return undefined;  // an idle connection
      });
    } catch (error) {
      if (connection.in.available > 0) this.errors.push(`cut inside a request head: ${JSON.stringify(connection.in.peek().toString('latin1'))}`);
      throw error;
    }
    if (head === undefined) return true;
    const request = new OriginRequest(head, connection);
    this.requests.push(request);
    const reading = readBody(request).catch((error) => {
      if (!(error instanceof EndOfInput)) this.errors.push(String(error));
      request.finish(String(error));
    });
    const reply = new Reply(connection.socket, request);
    this.#signal.changed();
    await (this.#handlers.get(request.path) ?? this.#fallback)(request, reply);
    await reading;
    return !reply.closing && request.complete;
  }
}

async function readBody(request) {
  const input = request.connection.in;
  const coding = request.field('transfer-encoding');
  if (coding !== undefined) {
    if (coding !== 'chunked') throw new Error(`transfer coding ${coding}`);
    for (;;) {
      const line = (await input.takeThrough('\r\n', 'a chunk size')).toString('latin1');
      if (!/^[0-9a-fA-F]+\r\n$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
      let left = parseInt(line, 16);
      if (left === 0) break;
      while (left > 0) {
        const part = await input.takeSome(left);
        left -= part.length;
        request.take(part);
      }
      const end = (await input.take(2)).toString('latin1');
      if (end !== '\r\n') throw new Error(`a chunk ends with ${JSON.stringify(end)}`);
    }
    let trailer = '';
    do {
      trailer = (await input.takeThrough('\r\n')).toString('latin1');
    } while (trailer !== '\r\n');
  } else if (request.has('content-length')) {
    let left = Number(request.field('content-length'));
    while (left > 0) {
      const part = await input.takeSome(left);
      left -= part.length;
      request.take(part);
    }
  }
  request.finish(undefined);
}
