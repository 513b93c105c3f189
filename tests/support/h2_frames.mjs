// An HTTP/2 client that sends frames as given, well-formed or not, and shows those that come back.
//
//   const client = await FrameClient.open(edge.port);            // preface and SETTINGS sent, the edge's SETTINGS seen
//   client.headers(1, request('/x'), { endStream: true });
//   const reset = await client.until((frame) => frame.type === RST_STREAM);
//
// Field lines go out as HPACK literals without indexing or Huffman coding, so any bytes can be sent; what comes back is left compressed. Frames that
// are answered by the book (SETTINGS, PING) are acknowledged unless the client was opened with `quiet`.

import net from 'node:net';

import { ByteReader, EndOfInput } from './byte_reader.mjs';
import { within } from './waiting.mjs';

export const DATA = 0, HEADERS = 1, PRIORITY = 2, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8, CONTINUATION = 9;
export const END_STREAM = 1, ACK = 1, END_HEADERS = 4;
export const NO_ERROR = 0, PROTOCOL_ERROR = 1, INTERNAL_ERROR = 2, CANCEL = 8, ENHANCE_YOUR_CALM = 11;
export const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function integer(value, bits) {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  for (value -= most; value >= 128; value = Math.floor(value / 128)) bytes.push(128 + (value % 128));
  return Buffer.from([...bytes, value]);
}

// A field block of literals (RFC 7541 section 6.2.2).
export function block(fields) {
  const text = (string) => {
    const bytes = Buffer.from(string, 'latin1');
    return Buffer.concat([integer(bytes.length, 7), bytes]);
  };
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

export function request(path, { method = 'GET', scheme = 'http', authority = 'edge.test', fields = [] } = {}) {
  return [[':method', method], [':scheme', scheme], [':path', path], [':authority', authority], ...fields];
}

export class FrameClient {
  frames = [];  // all that came

  constructor(socket, quiet) {
    this.socket = socket;
    this.quiet = quiet;
    this.in = new ByteReader(socket);
  }

  static async connect(port, { quiet = false } = {}) {
    const socket = net.connect({ port, host: '127.0.0.1' });
    const client = new FrameClient(socket, quiet);
    await within(new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    }), `a connection to port ${port}`);
    socket.setNoDelay(true);
    return client;
  }

  // `settings`: [[id, value], ...].
  static async open(port, { settings = [], quiet } = {}) {
    const client = await FrameClient.connect(port, { quiet });
    client.send(preface).settings(settings);
    await client.until((each) => each.type === SETTINGS && (each.flags & ACK) === 0);
    return client;
  }

  send(bytes) {
    this.socket.write(bytes);
    return this;
  }

  settings(entries = []) {
    return this.send(frame(SETTINGS, 0, 0, Buffer.concat(entries.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), uint32(value)])))));
  }

  headers(stream, fields, { endStream = false, endHeaders = true } = {}) {
    return this.send(frame(HEADERS, (endStream ? END_STREAM : 0) | (endHeaders ? END_HEADERS : 0), stream, block(fields)));
  }

  data(stream, bytes, { endStream = false } = {}) { return this.send(frame(DATA, endStream ? END_STREAM : 0, stream, bytes)); }
  reset(stream, code = CANCEL) { return this.send(frame(RST_STREAM, 0, stream, uint32(code))); }
  ping(flags = 0) { return this.send(frame(PING, flags, 0, Buffer.alloc(8))); }
  windowUpdate(stream, increment) { return this.send(frame(WINDOW_UPDATE, 0, stream, uint32(increment))); }

  // The next frame; EndOfInput at the connection's end.
  async next() {
    const head = await this.in.take(9, 'a frame');
    const each = { type: head[3], flags: head[4], stream: head.readUInt32BE(5), payload: await this.in.take(head.readUIntBE(0, 3), 'a frame\'s payload') };
    if (each.type === RST_STREAM) each.code = each.payload.readUInt32BE(0);
    if (each.type === GOAWAY) [each.last, each.code] = [each.payload.readUInt32BE(0) & 0x7fffffff, each.payload.readUInt32BE(4)];
    this.frames.push(each);
    if (!this.quiet && each.type === SETTINGS && (each.flags & ACK) === 0) this.send(frame(SETTINGS, ACK, 0));
    if (!this.quiet && each.type === PING && (each.flags & ACK) === 0) this.send(frame(PING, ACK, 0, each.payload));
    return each;
  }

  async until(wanted) {
    for (;;) {
      const each = await this.next();
      if (wanted(each)) return each;
    }
  }

  // The code with which that stream was reset, or undefined where it ended well.
  async outcome(stream) {
    const last = await this.until((each) => each.stream === stream && (each.type === RST_STREAM || (each.type <= HEADERS && (each.flags & END_STREAM) !== 0)));
    return last.code;
  }

  // Reads to the end of the connection; the last GOAWAY, if there was one.
  async goaway() {
    try {
      for (;;) await this.next();
    } catch (error) {
      if (!(error instanceof EndOfInput)) throw error;
    }
    return this.frames.filter((each) => each.type === GOAWAY).pop();
  }

  close() { this.socket.destroy(); }
}
