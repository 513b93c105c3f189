// HTTP/2 over TLS with the verbs of RawClient, so that a scenario can be run over either: requests on streams, their responses taken in the order of the
// requests, with field lines as they came. What has no meaning in HTTP/2 (bytes as given, versions, half-close) throws.
//
//   const client = await connectHttp2(edge.tlsPort);
//   const response = await client.request('/x', { fields: { Range: 'bytes=0-9' } }).response();
//
// A response is whole (`complete`) when its stream has ended without an error; `code` is the error.

import http2 from 'node:http2';

import { EndOfInput } from './byte_reader.mjs';
import { hasField, valueOf } from './message.mjs';
import { tlsSocket } from './tls_client.mjs';
import { Signal, within } from './waiting.mjs';

const { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL } = http2.constants;
// More than any test leaves unread on one stream while it reads others.
const connectionWindow = 32 << 20;
// Larger than any that a test sends.
const maxSendHeaderBlockLength = 1 << 20;
// What frames a request's content in HTTP/1, and what is a pseudo-header field here.
const leftOut = new Set(['transfer-encoding', 'host']);

const pairsOf = (raw) => Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i], raw[2 * i + 1]]);

export class Http2Response {
  version = '2.0';
  reason = '';
  framing = 'stream';
  interim = [];
  body = Buffer.alloc(0);
  trailers = [];
  complete = false;

  constructor(raw, stream) {
    const pairs = pairsOf(raw);
    this.status = Number(valueOf(pairs, ':status'));
    this.fields = pairs.filter(([name]) => !name.startsWith(':'));
    this.stream = stream;
  }

  field(name) { return valueOf(this.fields, name); }
  has(name) { return hasField(this.fields, name); }
  get head() { return [`:status: ${this.status}`, ...this.fields.map(([name, value]) => `${name}: ${value}`), ''].join('\r\n'); }
  get text() { return this.body.toString(); }
}

// What has come on one stream and was not taken yet.
class Exchange {
  #signal = new Signal();
  interim = [];
  parts = [];
  trailers = [];
  closed = false;

  constructor(stream) {
    this.stream = stream;
    const changed = () => this.#signal.changed();
    stream.on('headers', (_, flags, raw) => { this.interim.push(new Http2Response(raw)); changed(); });
    stream.on('response', (_, flags, raw) => { this.raw = raw; changed(); });
    stream.on('trailers', (_, flags, raw) => { this.trailers = pairsOf(raw); changed(); });
    stream.on('data', (bytes) => { this.parts.push(bytes); changed(); });
    stream.on('error', (error) => { this.error = error; changed(); });
    stream.on('close', () => { this.closed = true; changed(); });
  }

  get code() { return this.stream.rstCode; }

  async until(probe, what) {
    await this.#signal.until(() => probe() || this.closed, what);
    if (!probe()) throw new EndOfInput(`the stream ended with ${this.code} before ${what}`);
  }

  // undefined: the stream has ended, without an error.
  async part() {
    await this.#signal.until(() => this.parts.length > 0 || this.closed, 'more of a response\'s content');
    if (this.parts.length > 0) return this.parts.shift();
    if (this.code !== NGHTTP2_NO_ERROR) throw new EndOfInput(`the stream ended with ${this.code}`);
    return undefined;
  }
}

export class Http2Client {
  #signal = new Signal();
  #waiting = [];  // exchanges whose response was not taken yet
  #last = undefined;
  #left = undefined;  // of the last request's content
  #paused = false;
  ended = false;
  total = 0;  // bytes of responses' content so far

  constructor(session, socket) {
    this.session = session;
    this.socket = socket;
    session.on('error', (error) => { this.error = error; });
    session.on('close', () => { this.ended = true; this.#signal.changed(); });
    this.goaways = [];
    session.on('goaway', (code, last) => { this.goaways.push({ code, last }); this.#signal.changed(); });
  }

  request(target, { method = 'GET', host, fields = {}, body, version } = {}) {
    if (version !== undefined) throw new Error('a version in an HTTP/2 request');
    const pairs = Array.isArray(fields) ? fields : Object.entries(fields);
    const headers = { ':method': method, ':scheme': 'https', ':path': target, ':authority': valueOf(pairs, 'host') ?? host ?? this.authority };
    for (const [name, each] of pairs) {
      const lower = name.toLowerCase();
      const value = String(each).trim();  // white space around a value is HTTP/1's syntax
      if (leftOut.has(lower) || (lower === 'connection' && value === 'TE')) continue;
      headers[lower] = lower in headers ? [headers[lower], value].flat() : value;
    }
    if (body !== undefined) headers['content-length'] ??= String(Buffer.byteLength(body));
    this.#left = headers['content-length'] === undefined ? Infinity : Number(headers['content-length']);
    const bare = headers['content-length'] === undefined && !hasField(pairs, 'transfer-encoding');
    const stream = this.session.request(headers, { endStream: bare || this.#left === 0 });
    this.#last = new Exchange(stream);
    stream.on('data', (bytes) => { this.total += bytes.length; });
    if (this.#paused) stream.pause();
    this.#waiting.push(this.#last);
    if (body !== undefined && this.#left > 0) this.content(body);
    return this;
  }

  // More of the last request's content.
  content(bytes) {
    this.sent(bytes);
    return this;
  }
  sent(bytes) {
    const { stream } = this.#last;
    const taken = new Promise((resolve) => { stream.write(bytes, resolve); });
    this.#left -= Buffer.byteLength(bytes);
    if (this.#left <= 0) stream.end();
    return taken;
  }
  endContent() { this.#last.stream.end(); return this; }

  send() { throw new Error('bytes as given are for HTTP/1'); }
  end() { throw new Error('a connection of HTTP/2 has no half-close'); }

  async response(method) {
    return this.finishBody(await this.responseHead(method));
  }

  // The next 1xx response, ahead of the response.
  async interimHead() {
    const [exchange] = this.#waiting;
    await exchange.until(() => exchange.interim.length > 0, 'a 1xx response');
    return exchange.interim.shift();
  }

  async responseHead() {
    const exchange = this.#waiting.shift();
    if (exchange === undefined) throw new Error('a response to no request');
    await exchange.until(() => exchange.raw !== undefined, 'a whole response head');
    const response = new Http2Response(exchange.raw, exchange);
    response.interim = exchange.interim;
    return response;
  }

  async bodyPart(response) {
    if (response.complete) return undefined;
    const part = await response.stream.part();
    if (part !== undefined) return part;
    response.complete = true;
    response.trailers = response.stream.trailers;
    return undefined;
  }

  async finishBody(response) {
    const parts = [response.body];
    try {
      for (let part; (part = await this.bodyPart(response)) !== undefined;) parts.push(part);
    } catch (error) {
      if (!(error instanceof EndOfInput)) throw error;
      response.code = response.stream.code;
    }
    response.body = Buffer.concat(parts);
    return response;
  }

  async bodyUntil(response, text) {
    while (!response.body.includes(text)) {
      const part = await this.bodyPart(response);
      if (part === undefined) throw new Error(`the body ended before ${JSON.stringify(text)}`);
      response.body = Buffer.concat([response.body, part]);
    }
    return response;
  }

  // As a ByteReader tells it: what has come and was not asked for.
  get in() {
    const arrived = this.#waiting.filter((exchange) => exchange.raw !== undefined || exchange.interim.length > 0);
    return { available: arrived.length, total: this.total, error: this.error, ended: this.ended };
  }

  // Resolves when the edge has ended the connection.
  closed() { return this.#signal.until(() => this.ended, 'the edge to close the connection'); }

  // Of its streams: no window is opened that is not read.
  pause() {
    this.#paused = true;
    this.#last?.stream.pause();
    return this;
  }
  resume() {
    this.#paused = false;
    this.#last?.stream.resume();
    return this;
  }

  // The client leaves; or gives up the last request alone.
  close() { this.session.destroy(); this.socket.destroy(); }
  reset() { this.socket.under.resetAndDestroy(); this.session.destroy(); }
  cancel() { this.#last.stream.close(NGHTTP2_CANCEL); return this; }
}

export async function connectHttp2(port, options = {}) {
  const socket = await tlsSocket(port, { ALPNProtocols: ['h2'], allowHalfOpen: false, ...options });
  const session = http2.connect(`https://127.0.0.1:${port}`, { createConnection: () => socket, maxSendHeaderBlockLength });
  const client = new Http2Client(session, socket);
  client.authority = `127.0.0.1:${port}`;
  await within(new Promise((resolve, reject) => {
    session.once('remoteSettings', resolve);
    session.once('error', reject);
  }), `HTTP/2 on port ${port}`);
  session.setLocalWindowSize(connectionWindow);
  return client;
}
