// What the crash loop knows from outside: which response the origin made when, what was invalidated when, and hence what may be served and what must be.
//
// One counter orders everything: the origin takes the next number for each 200 (the response's version) and each 304 (a validation). A purge that is sent
// when the counter stands at N speaks of all that the origin had been asked for by then; once it is acknowledged, a request that is sent later must not get
// a version up to N (hard), or only one that was validated after N (soft). What is not acknowledged may hold or not.
//
// A body describes itself: a line of JSON with key, version, length and a checksum of the rest.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';

const sha = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

// `key`: host + path. `length`: of the whole, at least 400.
export function bodyOf(key, version, length) {
  const seed = crypto.createHash('sha256').update(`${key} ${version}`).digest();
  const line = (sum) => `${JSON.stringify({ key, version, length, sum })}\n`;
  const rest = Buffer.alloc(length - line('0'.repeat(64)).length, Buffer.concat([seed, Buffer.from(`${key} ${version}`)]));
  return Buffer.concat([Buffer.from(line(sha(rest))), rest]);
}

// The version, or an error that says what is wrong with the body.
export function versionOf(key, body) {
  const end = body.indexOf(10);
  let told;
  try {
    told = JSON.parse(body.subarray(0, end).toString());
  } catch {
    assert.fail(`${key}: no description in a body of ${body.length} bytes`);
  }
  assert.equal(told.key, key, `${key}: the body of another key`);
  assert.equal(body.length, told.length, `${key}: the body is short or long`);
  assert.equal(sha(body.subarray(end + 1)), told.sum, `${key}: a wrong byte`);
  return told.version;
}

// Purges by scope: the greatest N of each.
class Floors {
  #by = new Map();
  raise(scope, n) { if ((this.#by.get(scope) ?? -1) < n) this.#by.set(scope, n); }
  of(scopes) { return Math.max(-1, ...scopes.map((scope) => this.#by.get(scope) ?? -1)); }
}

export class Oracle {
  counter = 0;
  resources = new Map();   // key -> { host, path, tags }
  #current = new Map();    // key -> the version that the origin has now
  #validated = new Map();  // "key version" -> the number of its last validation
  #hard = new Floors();
  #soft = new Floors();
  #tried = new Floors();   // of any strength, acknowledged or not
  #unsynced = [];          // unsafe methods: durable as writes are
  #history = [];
  #stored = new Map();     // key -> { version, at, asked }: seen whole at a client; the counter when that client asked

  scopesOf(key) {
    const { host, path, tags } = this.resources.get(key);
    const prefixes = path.split('/').slice(1, -1).map((_, i, parts) => `prefix http://${host}/${parts.slice(0, i + 1).join('/')}/`);
    return ['all', `host ${host}`, `prefix http://${host}/`, ...prefixes, `url http://${host}${path}`, ...tags.map((tag) => `tag ${tag}`)];
  }

  // --- the origin's side: { status, version }

  answer(key, isValid) {
    const version = this.#current.get(key);
    const now = ++this.counter;
    if (version !== undefined && isValid(version)) {
      this.#validated.set(`${key} ${version}`, now);
      return { status: 304, version };
    }
    this.#current.set(key, now);
    return { status: 200, version: now };
  }

  // --- purges: begin() when one is sent, acknowledged() when it is, ended() in any case

  begin(scope) { return { scope, n: this.counter }; }
  // What began in between may have been taken too.
  ended({ scope, n }, how) {
    this.#tried.raise(scope, this.counter);
    this.#history.push({ scope, n, ended: this.counter, at: Date.now(), how });
    if (this.#history.length > 1000) this.#history.shift();
  }
  // The last purges that took in `key`, for people.
  historyOf(key) {
    const scopes = this.scopesOf(key);
    return this.#history.filter(({ scope }) => scopes.includes(scope)).slice(-5);
  }
  acknowledged({ scope, n }, { soft = false, unsynced = false } = {}) {
    if (unsynced) this.#unsynced.push({ scope, n, at: Date.now() });
    else (soft ? this.#soft : this.#hard).raise(scope, n);
  }

  // --- what clients get

  // When a request is sent; check() when its whole answer is there.
  expect(key) {
    const scopes = this.scopesOf(key);
    const unsynced = this.#unsynced.filter(({ scope }) => scopes.includes(scope)).map(({ n }) => n);
    return { key, hard: Math.max(this.#hard.of(scopes), ...unsynced), soft: this.#soft.of(scopes), asked: this.counter };
  }
  check({ key, hard, soft, asked }, response) {
    const version = versionOf(key, response.body);
    const cacheStatus = response.field('cache-status');
    assert.ok(version > hard, `${key}: version ${version} is served after the purge of all up to ${hard}: ${cacheStatus}`);
    const valid = Math.max(version, this.#validated.get(`${key} ${version}`) ?? -1);
    assert.ok(valid > soft, `${key}: version ${version}, valid at ${valid}, is served as fresh after the soft purge of all up to ${soft}: ${cacheStatus}`);
    const known = this.#stored.get(key);
    if (known === undefined || known.version < version) this.#stored.set(key, { version, at: Date.now(), asked });
    return version;
  }

  // --- after a kill

  // An invalidation by an unsafe method is as durable as a write: one that is younger than the bound may be lost.
  killed(at, bound) {
    for (const purge of this.#unsynced) if (purge.at + bound < at) this.#hard.raise(purge.scope, purge.n);
    this.#unsynced = [];
  }

  // What must be served without an origin: stored longer than the bound before `at`, and nothing has tried to invalidate it since it was asked for: a purge
  // that is newer than the start of a fill takes what the origin answers later.
  due(at, bound) {
    return [...this.#stored].filter(([key, stored]) => stored.at + bound < at && this.#tried.of(this.scopesOf(key)) < stored.asked)
      .map(([key, stored]) => ({ key, version: stored.version, age: at - stored.at }));
  }
  get keys() { return [...this.#stored.keys()]; }
  forget(keys) { for (const key of keys) this.#stored.delete(key); }
}
