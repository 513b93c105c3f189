// A client that sends bytes as given and shows the response as it was on the wire.
//
//   const client = await RawClient.connect(edge.port);
//   client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
//   const response = await client.response();
//
// A response has status, reason, version, fields ([[name, value], ...]), body (Buffer), trailers, interim (1xx responses before it), framing ('none',
// 'length', 'chunked', 'close') and complete: false where the transfer was broken, which is a result and not an error. A connection that ends before a
// response head is an error (EndOfInput).

import net from 'node:net';

import { ByteReader, EndOfInput } from './byte_reader.mjs';
import { chunk, fieldLines, hasField, lastChunk, parseFields, valueOf } from './message.mjs';
import { within } from './waiting.mjs';

export class Response {
  interim = [];
  body = Buffer.alloc(0);
  trailers = [];
  complete = false;

  constructor(headText) {
    const lineEnd = headText.indexOf('\r\n');
    const line = headText.slice(0, lineEnd);
    const match = /^HTTP\/(\d\.\d) (\d{3})(?: (.*))?$/.exec(line);
    if (!match) throw new Error(`not a status line: ${JSON.stringify(line)}`);
    this.version = match[1];
    this.status = Number(match[2]);
    this.reason = match[3] ?? '';
    this.head = headText;
    this.fields = parseFields(headText.slice(lineEnd + 2));
  }

  field(name) { return valueOf(this.fields, name); }
  has(name) { return hasField(this.fields, name); }
  get text() { return this.body.toString(); }
}

export class RawClient {
  #expected = [];  // methods of the requests sent by get(), in order; they say which responses have a body
  #chunked = false;  // the content of the last of them

  constructor(socket) {
    this.socket = socket;
    this.in = new ByteReader(socket);
  }

  static async connect(port, options = {}) {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...options });
    const client = new RawClient(socket);
    await within(new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    }), `a connection to port ${port}`);
    socket.setNoDelay(true);
    return client;
  }

  send(bytes) {
    this.socket.write(bytes);
    return this;
  }

  // Resolves when the bytes have been handed to the kernel, so that back-pressure shows.
  sent(bytes) {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  // One write (and, with TCP_NODELAY, one segment) per byte.
  async sendBytewise(bytes) {
    for (const byte of Buffer.from(bytes)) await this.sent(Buffer.from([byte]));
    return this;
  }

  request(target, { method = 'GET', host, fields = {}, body, version = '1.1' } = {}) {
    this.#expected.push(method);
    this.#chunked = valueOf(Array.isArray(fields) ? fields : Object.entries(fields), 'transfer-encoding') === 'chunked';
    this.send(requestBytes(target, { method, host: host ?? `127.0.0.1:${this.socket.remotePort}`, fields, body, version }));
    return this;
  }

  // More of the content of the last request(), whose fields say how it is framed.
  content(bytes) { return this.send(this.#chunked ? chunk(bytes) : bytes); }
  endContent() { return this.#chunked ? this.send(lastChunk) : this; }

  // The next response, whole or broken. `method` is needed only for requests sent by send().
  async response(method) {
    const response = await this.responseHead(method);
    await this.finishBody(response);
    return response;
  }

  // The next 1xx response, ahead of the response.
  async interimHead() {
    return new Response((await this.in.takeThrough('\r\n\r\n', 'a 1xx response')).toString('latin1').slice(0, -2));
  }

  // The head of the next response; its body is to be read by bodyPart() / finishBody().
  async responseHead(method = this.#expected.shift() ?? 'GET') {
    const interim = [];
    for (;;) {
      const head = (await this.in.takeThrough('\r\n\r\n', 'a whole response head')).toString('latin1');
      const response = new Response(head.slice(0, -2));
      if (response.status >= 100 && response.status < 200 && response.status !== 101) {
        interim.push(response);
        continue;
      }
      response.interim = interim;
      response.framing = framingOf(response, method);
      response.left = response.framing === 'length' ? Number(response.field('content-length')) : undefined;
      response.complete = response.framing === 'none' || response.left === 0;
      return response;
    }
  }

  // Reads at least one more byte of the body; undefined at its end. Appends nothing to response.body.
  async bodyPart(response) {
    if (response.complete) return undefined;
    if (response.framing === 'length') {
      const part = await this.in.takeSome(response.left, 'more of the body');
      response.left -= part.length;
      if (response.left === 0) response.complete = true;
      return part;
    }
    if (response.framing === 'close') {
      try {
        return await this.in.takeSome();
      } catch (error) {
        if (!(error instanceof EndOfInput) || this.in.error) throw error;
        response.complete = true;
        return undefined;
      }
    }
    return this.#chunkedPart(response);
  }

  async #chunkedPart(response) {
    if (!response.left) {
      const line = (await this.in.takeThrough('\r\n', 'a chunk size')).toString('latin1');
      if (!/^[0-9a-fA-F]+(;.*)?\r\n$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
      response.left = parseInt(line, 16);
      if (response.left === 0) {
        await this.#trailers(response);
        return undefined;
      }
    }
    const part = await this.in.takeSome(response.left, 'more of a chunk');
    response.left -= part.length;
    if (response.left === 0) {
      const end = (await this.in.take(2, 'the end of a chunk')).toString('latin1');
      if (end !== '\r\n') throw new Error(`a chunk ends with ${JSON.stringify(end)}`);
    }
    return part;
  }

  async #trailers(response) {
    let text = '';
    for (;;) {
      const line = (await this.in.takeThrough('\r\n', 'the end of the trailer section')).toString('latin1');
      if (line === '\r\n') break;
      text += line;
    }
    response.trailers = parseFields(text);
    response.complete = true;
  }

  async finishBody(response) {
    const parts = [response.body];
    try {
      for (;;) {
        const part = await this.bodyPart(response);
        if (part === undefined) break;
        parts.push(part);
      }
    } catch (error) {
      if (!(error instanceof EndOfInput)) throw error;
    }
    response.body = Buffer.concat(parts);
    return response;
  }

  // Reads on until the body so far contains `text` (a string).
  async bodyUntil(response, text) {
    while (!response.body.includes(text)) {
      const part = await this.bodyPart(response);
      if (part === undefined) throw new Error(`the body ended before ${JSON.stringify(text)}`);
      response.body = Buffer.concat([response.body, part]);
    }
    return response;
  }

  // Resolves when the peer has closed its side (or reset); what it sent before is still there to be read.
  closed() { return this.in.finished('the edge to close the connection'); }

  pause() { this.socket.pause(); return this; }
  resume() { this.socket.resume(); return this; }

  // Half-close: no more bytes from here, still reading.
  end() { this.socket.end(); return this; }

  // The client leaves: in order, by a reset, or as it gives up its last request, for which HTTP/1 has no other way.
  close() { this.socket.destroy(); }
  reset() { (this.socket.under ?? this.socket).resetAndDestroy(); }
  cancel() { this.close(); return this; }
}

export function requestBytes(target, { method = 'GET', host, fields = {}, body, version = '1.1' } = {}) {
  let lines = fieldLines(fields);
  const given = (name) => new RegExp(`^${name}:`, 'im').test(lines);
  if (host !== undefined && !given('host')) lines = `Host: ${host}\r\n${lines}`;
  if (body !== undefined && !given('content-length') && !given('transfer-encoding')) lines += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/${version}\r\n${lines}\r\n`, 'latin1'), Buffer.from(body ?? '')]);
}

function framingOf(response, method) {
  if (method === 'HEAD' || response.status === 204 || response.status === 304) return 'none';
  if (response.has('transfer-encoding')) return 'chunked';
  if (response.has('content-length')) return 'length';
  return 'close';
}

// One request on a connection of its own.
export async function fetchRaw(port, target, options = {}) {
  const client = await RawClient.connect(port);
  try {
    return await client.request(target, options).response();
  } finally {
    client.close();
  }
}
