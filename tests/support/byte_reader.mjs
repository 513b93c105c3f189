// Pull reader over a socket: take a line, take n bytes, take what is there. Each call waits for data as an event.
//
// A reader ends in one of two ways: the peer closed in order (`ended`), or the connection broke (`error`). Reading past either rejects with EndOfInput, so
// the caller can tell a whole message from a half one.

import { Signal } from './waiting.mjs';

export class EndOfInput extends Error {}

export class ByteReader {
  #chunks = [];
  #size = 0;
  #signal = new Signal();
  ended = false;
  error = undefined;
  closed = false;
  total = 0;
  raw = undefined;  // set to [] to keep every byte that was taken

  constructor(socket) {
    socket.on('data', (data) => {
      this.#chunks.push(data);
      this.#size += data.length;
      this.total += data.length;
      this.#signal.changed();
    });
    socket.on('end', () => { this.ended = true; this.#signal.changed(); });
    socket.on('error', (error) => { this.error = error; this.#signal.changed(); });
    socket.on('close', () => { this.closed = true; this.ended = true; this.#signal.changed(); });
  }

  get available() { return this.#size; }

  // Resolves when the peer has closed or the connection broke.
  finished(what = 'the peer to close') {
    return this.#signal.until(() => this.ended || this.error !== undefined, what);
  }

  until(probe, what) { return this.#signal.until(probe, what); }

  #flat() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks.length === 0 ? Buffer.alloc(0) : this.#chunks[0];
  }

  #drop(n) {
    const flat = this.#flat();
    const taken = flat.subarray(0, n);
    this.#chunks = n === flat.length ? [] : [flat.subarray(n)];
    this.#size -= n;
    if (this.raw) this.raw.push(taken);
    return taken;
  }

  async #more(have, what) {
    await this.#signal.until(() => this.#size > have || this.ended || this.error !== undefined, what);
    if (this.#size <= have) throw new EndOfInput(`the connection ended before ${what}${this.error ? ` (${this.error.code})` : ''}`);
  }

  // Up to and including `mark`.
  async takeThrough(mark, what = JSON.stringify(mark)) {
    for (;;) {
      const at = this.#flat().indexOf(mark);
      if (at >= 0) return this.#drop(at + mark.length);
      await this.#more(this.#size, what);
    }
  }

  async take(n, what = `${n} bytes`) {
    while (this.#size < n) await this.#more(this.#size, what);
    return this.#drop(n);
  }

  // At least one byte, at most `limit`.
  async takeSome(limit = Infinity, what = 'any bytes') {
    while (this.#size === 0) await this.#more(0, what);
    return this.#drop(Math.min(this.#size, limit));
  }

  peek() { return this.#flat(); }
}
