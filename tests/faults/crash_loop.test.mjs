// kill -9 during load, again and again, with an oracle outside (oracle.mjs): G2, G4, G11. What was purged is never served again, hard or soft, by whatever
// scope; no body is wrong or short; what was stored longer than the loss bound before the kill and not purged is served from disk; the edge always comes up;
// and no purge number comes twice.
//
// CRASH_ROUNDS sets the number of rounds (20; 200 with `tests/run --full`).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EndOfInput } from '../support/byte_reader.mjs';
import { ownLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';
import { Oracle, bodyOf } from './oracle.mjs';
import { ignoresStrength, waysOf } from './purges.mjs';

const rounds = Number(process.env.CRASH_ROUNDS || (process.env.FRESHET_FULL ? 200 : 20));
const lossBoundMs = 1000;
const burstMs = 800;  // all clients; then two go on until the kill, so that a slow disk is not what is tested
const sizes = [400, 1000, 4096, 65_536, 262_144, 262_145, 700_000];
const hosts = ['a', 'b', 'c', 'd'].map((name) => `${name}.crash.example`);
const mostKeys = 1500;

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const ofTheKill = (error) => error instanceof EndOfInput || ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT'].includes(error.code);

// The resources: some hosts with some folders each; a tag of each folder's number and one of a hundred small ones.
function resource(oracle, id) {
  const host = hosts[id % hosts.length];
  const path = `/s/${id % 11}/${id}`;
  oracle.resources.set(host + path, { host, path, tags: [`folder-${id % 11}`, `few-${id % 101}`], size: sizes[id % sizes.length] });
  return host + path;
}

function serve(origin, oracle) {
  origin.otherwise((request, reply) => {
    if (request.method === 'POST') return reply.send(200, { 'Cache-Control': 'no-store' }, 'done');
    const key = request.field('host') + request.path;
    const { tags, size } = oracle.resources.get(key);
    const { status, version } = oracle.answer(key, (current) => request.field('if-none-match') === `"${current}"`);
    const fields = { 'Cache-Control': 'max-age=3600', ETag: `"${version}"`, 'Surrogate-Key': tags.join(' ') };
    return reply.send(status, fields, status === 200 ? bodyOf(key, version, size) : '');
  });
}

// Asks in a loop on one connection until the edge dies.
async function load(lab, oracle, nextKey, state, until) {
  const over = () => state.dying || Date.now() > until;
  while (!over()) {
    let client;
    try {
      client = await lab.connect();
      while (!over()) {
        const key = nextKey();
        const { host, path } = oracle.resources.get(key);
        const expected = oracle.expect(key);
        const response = await client.request(path, { host }).response();
        if (!response.complete) break;
        assert.equal(response.status, 200, `${key}: ${response.head}`);
        oracle.check(expected, response);
        ++state.answers;
      }
    } catch (error) {
      if (!ofTheKill(error) || !state.dying) throw error;
    } finally {
      client?.close();
    }
  }
}

// One purge after the other: each acknowledgement has a greater number than all before it, also those before a kill.
async function purge(lab, oracle, ways, state, numbers) {
  while (!state.dying) {
    const keys = oracle.keys;
    if (keys.length === 0) {
      await new Promise((resolve) => { setImmediate(resolve); });
      continue;
    }
    const dice = Math.random();
    const kind = dice < 0.7 ? 'url' : dice < 0.85 ? 'tag' : dice < 0.93 ? 'prefix' : dice < 0.98 ? 'host' : 'all';
    const scopes = oracle.scopesOf(pick(keys)).filter((scope) => scope.split(' ')[0] === kind);
    if (ways[kind] === undefined || (kind === 'all' && state.purgedAll)) continue;
    // A whole host or everything once a round at most: something must be left to be due.
    if (kind === 'host' || kind === 'all') state.purgedAll = true;
    const way = pick(ways[kind]);
    const soft = Math.random() < 0.4 && !ignoresStrength(way);
    const scope = kind === 'tag' ? scopes.find((each) => each.includes('few-')) : kind === 'prefix' ? scopes.at(-1) : scopes[0];
    const begun = oracle.begin(scope);
    try {
      const { sequence, unsynced } = await way(lab.edge, scope, soft);
      oracle.acknowledged(begun, { soft, unsynced });
      if (sequence !== undefined) {
        assert.ok(sequence > numbers.last, `purge number ${sequence} comes after ${numbers.last}`);
        numbers.last = sequence;
      }
      state.purges[kind] = (state.purges[kind] ?? 0) + 1;
    } catch (error) {
      if (!ofTheKill(error) || !state.dying) throw error;
    } finally {
      oracle.ended(begun, `${way.name}${soft ? ', soft' : ''}`);
    }
    // Purges in between requests, not instead of them.
    const answers = state.answers;
    while (!state.dying && state.answers < answers + 3) await new Promise((resolve) => { setImmediate(resolve); });
  }
}

// Notes when nothing waited to be written for the last time: what a disk that others keep busy has not taken is not due.
async function watchBacklog(lab, state) {
  while (!state.dying) {
    const asked = Date.now();
    try {
      const told = await lab.edge.metrics();
      if (told.sum('freshet_disk_write_backlog_bytes') === 0) state.writtenUntil = asked;
      state.refused = told.sum('freshet_disk_writes_refused_total');
    } catch (error) {
      if (!state.dying) throw error;
    }
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

const outcomeOf = (response) => (response === undefined ? 'no response' : `${response.status}, ${response.complete ? 'whole' : 'broken'}, ${response.field('cache-status')}`);

async function edgeSays(lab) {
  const counters = (await lab.edge.metrics()).text.split('\n').filter((line) => /^freshet_(disk|stored|memory|purge)/.test(line));
  return [...lab.edge.log.filter((line) => /warn|error/.test(line)).slice(-10), ...counters].join('\n');
}

// `action` of each, a few at once: a round is over sooner.
async function forEach(list, action) {
  const left = list.values();
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (const each of left) await action(each);
  }));
}

// On a connection of its own; undefined where there is no response at all.
async function askAlone(lab, { host, path }) {
  try {
    return await lab.get(path, { host });
  } catch (error) {
    if (error instanceof EndOfInput) return undefined;
    throw error;
  }
}

test(`G2, G4, G11: ${rounds} rounds of kill -9 under load`, async (t) => {
  const lab = await ownLab(t, { accessLog: 'off', settings: { 'cache.loss_bound': `${lossBoundMs}ms` } });
  const oracle = new Oracle();
  serve(lab.origin, oracle);
  const ways = await waysOf(lab.edge);
  const numbers = { last: 0 };
  const totals = { due: 0, younger: 0, broken: 0, behind: 0, refused: 0, purges: {} };
  let ids = 0;
  for (let round = 1; round <= rounds; ++round) {
    const state = { dying: false, answers: 0, purges: totals.purges, purgedAll: false, writtenUntil: 0, refused: 0 };
    const fresh = () => resource(oracle, ids++);
    const known = () => (oracle.keys.length > 0 && Math.random() < 0.7 ? pick(oracle.keys) : fresh());
    const burstEnd = Date.now() + burstMs;
    const working = Array.from({ length: 6 }, (_, i) => load(lab, oracle, i % 2 === 0 ? fresh : known, state, i < 2 ? Infinity : burstEnd));
    working.push(purge(lab, oracle, ways, state, numbers), watchBacklog(lab, state));
    // The kill comes at a moment of its own in each round, with more than the loss bound of load before it.
    await Promise.race([new Promise((resolve) => { setTimeout(resolve, lossBoundMs + 600 + Math.random() * 700); }), Promise.all(working)]);
    state.dying = true;
    const killedAt = Date.now();
    await lab.edge.kill();
    await Promise.all(working);
    oracle.killed(killedAt, lossBoundMs);
    assert.ok(state.answers > 0, 'there was load');
    await lab.edge.spawn();

    // Half the bound, since a client may have had the end of a response before it was handed over.
    const written = Math.min(killedAt, state.writtenUntil + lossBoundMs / 2);
    if (written < killedAt) ++totals.behind;
    const due = oracle.due(killedAt, lossBoundMs).filter(({ age }) => killedAt - age + lossBoundMs < written);
    await lab.origin.down();
    const missing = new Map();
    await forEach(due, async ({ key, version, age }) => {
      const where = oracle.resources.get(key);
      const expected = oracle.expect(key);
      const response = await askAlone(lab, where);
      const whole = response?.complete && response.status === 200;
      const got = whole ? oracle.check(expected, response) : undefined;
      if (!whole || cacheStatus(response)?.hit !== true || got < version) {
        missing.set(key, `${key}, version ${version}, ${where.size} bytes, stored ${age} ms before: ${got ?? ''} ${outcomeOf(response)}; purges ${JSON.stringify(oracle.historyOf(key))}, killed at ${killedAt}`);
      }
    });
    await lab.origin.listen();
    totals.due += due.length;
    // A write that was refused was not stored, and was counted.
    totals.refused += state.refused;
    if (missing.size > state.refused) {
      assert.fail(`round ${round}: ${missing.size} of ${due.length} due responses are not served from disk, ${state.refused} writes were refused; the edge says:\n${await edgeSays(lab)}\n${[...missing.values()].slice(0, 20).join('\n')}`);
    }
    // A refused one is asked for again here, and is due from then on. All else may be there or not, but never wrong, and never what was purged; where its body turns out to be lost after the head was sent, the transfer
    // breaks visibly and the next request gets it whole.
    const settled = new Set(due.map(({ key }) => key).filter((key) => !missing.has(key)));
    await forEach(oracle.keys.filter((each) => !settled.has(each)), async (key) => {
      const where = oracle.resources.get(key);
      const expected = oracle.expect(key);
      let response = await lab.get(where.path, { host: where.host });
      if (!response.complete) {
        ++totals.broken;
        response = await lab.get(where.path, { host: where.host });
      }
      assert.ok(response.complete, `round ${round}: ${key} arrives broken again and again`);
      assert.equal(response.status, 200, `${key}: ${response.head}`);
      oracle.check(expected, response);
      ++totals.younger;
    });
    // The directory must not grow beyond what one test may take.
    if (oracle.keys.length > mostKeys) oracle.forget(oracle.keys.slice(0, mostKeys / 2));
    lab.origin.requests.length = 0;
  }
  assert.ok(totals.due > 0, 'something was due');
  // Where a disk that others keep busy has not taken the writes of a burst that was over long before, what is due says nothing.
  assert.ok(totals.behind <= rounds / 2, `the disk was behind in ${totals.behind} of ${rounds} rounds`);
  t.diagnostic(`${rounds} rounds: ${totals.due} responses due and served from disk, ${totals.younger} others checked, ${totals.broken} broken after the head, the disk behind in ${totals.behind} rounds, ${totals.refused} writes refused; purges ${JSON.stringify(totals.purges)}, last number ${numbers.last}`);
});
