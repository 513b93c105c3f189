// Assertions that the scenarios share, on what RFC 9211 (Cache-Status) and RFC 9110 let a client see.

import assert from 'node:assert/strict';

import { cacheStatus } from './message.mjs';

const shown = (response) => `${response.status}\n${response.head}`;

// Served from the store without the origin.
export function expectHit(response) {
  assert.equal(cacheStatus(response)?.hit, true, `not a hit: ${shown(response)}`);
}

// Forwarded to the origin; `why` is the Cache-Status reason (RFC 9211 section 2.2) or a list of the allowed ones.
export function expectForwarded(response, why) {
  const status = cacheStatus(response);
  assert.ok(status !== undefined, `no Cache-Status: ${shown(response)}`);
  assert.notEqual(status.hit, true, `a hit: ${shown(response)}`);
  if (why !== undefined) assert.ok([why].flat().includes(status.fwd), `fwd is ${status.fwd}, not ${why}: ${shown(response)}`);
}

export function expectMiss(response) {
  expectForwarded(response, ['miss', 'uri-miss', 'vary-miss']);
}

// The origin said 304 to the edge's own conditional request.
export function expectRevalidated(response) {
  const status = cacheStatus(response);
  assert.equal(status?.['fwd-status'], '304', `not revalidated: ${shown(response)}`);
}

export function expectWhole(response, status, body) {
  assert.equal(response.status, status, shown(response));
  assert.equal(response.complete, true, `broken transfer: ${shown(response)}`);
  if (body !== undefined) {
    const bytes = Buffer.from(body);
    assert.ok(response.body.equals(bytes), `${response.body.length} bytes of body differ from the ${bytes.length} expected: ${response.body.subarray(0, 80)}`);
  }
}

// The connection ends in order or by reset, without a further response.
export async function expectClosed(client) {
  await client.closed();
  assert.equal(client.in.available, 0, `more bytes: ${JSON.stringify(client.in.peek().toString('latin1').slice(0, 200))}`);
}

// No body and none announced as following: after it the connection is good for another exchange (G1).
export function expectBodyless(response, status) {
  assert.equal(response.status, status, shown(response));
  assert.equal(response.has('transfer-encoding'), false, `Transfer-Encoding on a bodyless response: ${shown(response)}`);
  assert.equal(response.body.length, 0);
}
