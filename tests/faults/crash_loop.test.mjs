// kill -9 during load, again and again (G2, G11): what was stored longer than the loss bound before the kill is served from disk, every body is the one the
// origin sent, and no half response ever counts as whole.
//
// Bodies describe themselves: the body for /o/ID/VERSION is made from ID, version and size by a generator whose seed is their hash, so that any byte out of
// place shows. Sizes go over several chunks. FRESHET_CRASH_ROUNDS sets the number of rounds (20; 200 with `tests/run --full`).

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';

import { cacheStatus } from '../support/message.mjs';
import { ownLab } from '../support/lab.mjs';
import { EndOfInput } from '../support/byte_reader.mjs';

const rounds = Number(process.env.FRESHET_CRASH_ROUNDS || (process.env.FRESHET_FULL ? 200 : 20));
const lossBoundMs = 2000;  // the setting's default
const burstMs = 800;  // all clients; then two go on until the kill, so that a slow disk is not what is tested
const host = 'crash.example';
const sizes = [0, 1, 100, 4096, 65_536, 262_144, 262_145, 700_000];

function bodyOf(target) {
  const [, , id] = target.split('/');
  const size = sizes[Number(id) % sizes.length];
  const seed = crypto.createHash('sha256').update(target).digest();
  return Buffer.alloc(size, Buffer.concat([seed, Buffer.from(target)]));
}

// Asks in a loop on one connection until the edge dies; tells `sealed` about each whole response.
async function load(lab, nextTarget, sealed, state, until) {
  const over = () => state.dying || Date.now() > until;
  while (!over()) {
    let client;
    try {
      client = await lab.connect();
      while (!over()) {
        const target = nextTarget();
        const response = await client.request(target, { host }).response();
        if (!response.complete) break;
        verify(target, response);
        sealed(target);
        ++state.answers;
      }
    } catch (error) {
      const ofTheKill = error instanceof EndOfInput || ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.code);
      if (!ofTheKill || !state.dying) throw error;
    } finally {
      client?.close();
    }
  }
}

function verify(target, response) {
  assert.equal(response.status, 200, `${target}: ${response.head}`);
  assert.ok(response.body.equals(bodyOf(target)), `${target}: the body is not the origin's (${response.body.length} bytes)`);
}

const outcomeOf = (response) => (response === undefined ? 'no response' : `${response.status}, ${response.complete ? 'whole' : 'broken'}, ${response.field('cache-status')}`);

async function edgeSays(lab) {
  const counters = (await lab.edge.metrics()).text.split('\n').filter((line) => /^freshet_(disk|stored|memory)/.test(line));
  return [...lab.edge.log.filter((line) => /warn|error/.test(line)).slice(-10), ...counters].join('\n');
}

// On a connection of its own; undefined where there is no response at all.
async function askAlone(lab, target) {
  try {
    return await lab.get(target, { host });
  } catch (error) {
    if (error instanceof EndOfInput) return undefined;
    throw error;
  }
}

test(`G2, G11: ${rounds} rounds of kill -9 under load`, async (t) => {
  const lab = await ownLab(t, { accessLog: 'off', settings: { 'cache.loss_bound': `${lossBoundMs}ms` } });
  let version = 0;
  lab.origin.otherwise((request, reply) => {
    reply.send(200, { 'Cache-Control': 'max-age=3600', ETag: `"${request.path}"` }, bodyOf(request.path));
  });

  const sealedAt = new Map();  // target -> when its whole response had arrived at a client
  let served = 0;
  let lost = 0;
  let broken = 0;
  for (let round = 1; round <= rounds; ++round) {
    const state = { dying: false, answers: 0 };
    let next = 0;
    ++version;
    const fresh = () => `/o/${next++}/${version}`;
    const known = () => {
      const all = [...sealedAt.keys()];
      return all.length > 0 && next % 2 === 1 ? (next++, all[Math.floor(Math.random() * all.length)]) : fresh();
    };
    const sealed = (target) => { if (!sealedAt.has(target)) sealedAt.set(target, Date.now()); };
    const burstEnd = Date.now() + burstMs;
    const loads = Array.from({ length: 6 }, (_, i) => load(lab, i % 2 === 0 ? fresh : known, sealed, state, i < 2 ? Infinity : burstEnd));
    // The kill comes at a moment of its own in each round, with more than the loss bound of load before it.
    await Promise.race([new Promise((resolve) => setTimeout(resolve, lossBoundMs + 200 + 100 * (round % 7))), Promise.all(loads)]);
    state.dying = true;
    const killedAt = Date.now();
    await lab.edge.kill();
    await Promise.all(loads);
    assert.ok(state.answers > 0, 'there was load');
    await lab.edge.spawn();

    const due = [...sealedAt].filter(([, at]) => at + lossBoundMs < killedAt).map(([target]) => target);
    assert.ok(due.length > 0, 'something is due');
    await lab.origin.down();
    const missing = [];
    for (const target of due) {
      const response = await askAlone(lab, target);
      if (response?.complete && response.status === 200) verify(target, response);
      if (response?.complete && cacheStatus(response)?.hit === true) ++served;
      else missing.push(`${target}, ${bodyOf(target).length} bytes, sealed ${killedAt - sealedAt.get(target)} ms before: ${outcomeOf(response)}`);
    }
    await lab.origin.listen();
    if (missing.length > 0) assert.fail(`round ${round}: ${missing.length} of ${due.length} due responses are not served from disk; the edge says:\n${await edgeSays(lab)}\n${missing.slice(0, 20).join('\n')}`);
    // What is younger than the bound may be there or not, but never wrong; where its body turns out to be lost after the head was sent, the transfer breaks
    // visibly and the next request gets it whole.
    for (const [target, at] of sealedAt) {
      if (at + lossBoundMs < killedAt) continue;
      let response = await lab.get(target, { host });
      if (!response.complete) {
        ++broken;
        response = await lab.get(target, { host });
      }
      assert.ok(response.complete, `round ${round}: ${target} arrives broken again and again`);
      verify(target, response);
      if (cacheStatus(response)?.hit !== true) ++lost;
      sealedAt.set(target, Date.now());
    }
    // The directory must not grow beyond what one test may take.
    if (sealedAt.size > 2000) for (const target of [...sealedAt.keys()].slice(0, 1000)) sealedAt.delete(target);
    lab.origin.requests.length = 0;
  }
  const bad = (await lab.edge.metrics()).sum('freshet_disk_corrupt_total');
  t.diagnostic(`${rounds} rounds: ${served} responses due and served from disk, ${lost} younger than ${lossBoundMs} ms lost, ${broken} of them after the head, ${bad} records refused in the last round`);
});
