// Node's HTTP/2 client, in clear by prior knowledge, with promises and the deadline that all scenarios share.
//
//   const client = await H2Client.connect(edge.url);
//   const response = await client.get('/x');      // {status, fields, body, trailers, interim, code}
//
// `code` is the error code with which the stream ended: 0 where the response is whole.

import http2 from 'node:http2';

import { Signal, within } from './waiting.mjs';

export class H2Stream {
  #signal = new Signal();
  interim = [];
  fields = undefined;
  trailers = undefined;
  body = Buffer.alloc(0);
  ended = false;
  closed = false;

  constructor(stream, { read = true } = {}) {
    this.stream = stream;
    const changed = () => this.#signal.changed();
    stream.on('headers', (fields) => { this.interim.push(fields); changed(); });
    stream.on('response', (fields) => { this.fields = fields; changed(); });
    stream.on('trailers', (fields) => { this.trailers = fields; changed(); });
    stream.on('end', () => { this.ended = true; changed(); });
    stream.on('error', (error) => { this.error = error; changed(); });
    stream.on('close', () => { this.closed = true; changed(); });
    if (read) this.read();
  }

  read() { this.stream.on('data', (bytes) => { this.body = Buffer.concat([this.body, bytes]); this.#signal.changed(); }); }
  get status() { return this.fields?.[':status']; }
  get code() { return this.stream.rstCode; }
  get text() { return this.body.toString(); }
  get whole() { return this.ended && this.code === http2.constants.NGHTTP2_NO_ERROR; }

  head() { return this.#signal.until(() => this.fields ?? this.closed, 'the head of a response'); }
  bodyReached(size) { return this.#signal.until(() => this.body.length >= size || this.closed, `${size} bytes of a response's content`); }
  async response() {
    await this.#signal.until(() => this.closed, 'the end of a stream');
    return this;
  }
}

export class H2Client {
  #signal = new Signal();
  goaways = [];
  closed = false;

  constructor(session) {
    this.session = session;
    session.on('goaway', (code, last) => { this.goaways.push({ code, last }); this.#signal.changed(); });
    session.on('error', (error) => { this.error = error; this.#signal.changed(); });
    session.on('close', () => { this.closed = true; this.#signal.changed(); });
  }

  static async connect(url, options) {
    const client = new H2Client(http2.connect(url, options));
    await within(new Promise((resolve, reject) => {
      client.session.once('remoteSettings', resolve);
      client.session.once('error', reject);
    }), `HTTP/2 with ${url}`);
    return client;
  }

  // A stream with its request's content still open where `end` is false.
  request(path, { method = 'GET', fields = {}, body, end = true, read } = {}) {
    const stream = this.session.request({ ':method': method, ':path': path, ...fields }, { endStream: end && body === undefined });
    if (body !== undefined) end ? stream.end(body) : stream.write(body);
    return new H2Stream(stream, { read });
  }

  get(path, options) { return this.request(path, options).response(); }
  goaway(probe = () => true) { return this.#signal.until(() => this.goaways.find(probe), 'a GOAWAY'); }
  ended() { return this.#signal.until(() => this.closed, 'the end of an HTTP/2 connection'); }
  close() { this.session.destroy(); }
}
