// Two requests for one URL, and whether the second was answered from the store.
//
//   const { stored, asked } = storing(lab);
//   await stored({ 'Cache-Control': 'max-age=60' });                       // the response fields of the origin
//   await asked({ 'Cache-Control': 'no-store' }, { status: 404 });
//
// The origin numbers its answers, so that a body says which of them it is.

import assert from 'node:assert/strict';

import { expectForwarded, expectHit } from './expect.mjs';
import { cacheStatus } from './message.mjs';

// options: status, body (made from the answer's number), request (fields of both requests), second (fields of the second alone).
export function storing(lab) {
  async function twice(fields, { status = 200, body = (n) => `answer ${n}`, request = {}, second = {} } = {}) {
    const path = lab.path();
    lab.origin.on(path, (asked, reply) => {
      const n = lab.origin.requestsFor(path).length;
      reply.send(status, typeof fields === 'function' ? fields(n) : fields, status === 204 ? '' : body(n));
    });
    const first = await lab.store(path, { fields: request });
    expectForwarded(first);
    const again = await lab.get(path, { fields: { ...request, ...second } });
    return { path, first, again, requests: lab.origin.requestsFor(path), status, body };
  }

  return {
    twice,

    // The second request is a hit. Resolves with what twice() gives, and the lifetime that is left.
    async stored(fields, options) {
      const result = await twice(fields, options);
      expectHit(result.again);
      assert.equal(result.again.status, result.status);
      assert.equal(result.again.complete, true);
      assert.equal(result.again.text, result.first.text);
      assert.equal(result.requests.length, 1);
      return { ...result, ttl: Number(cacheStatus(result.again).ttl) };
    },

    // The second request reaches the origin.
    async asked(fields, options) {
      const result = await twice(fields, options);
      expectForwarded(result.again);
      assert.equal(result.requests.length, 2);
      return result;
    },
  };
}
