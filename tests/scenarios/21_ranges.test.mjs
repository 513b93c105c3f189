// Ranges (RFC 9110 section 14) from what is stored, from what is arriving, and on a miss.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { sharedLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const kMiB = 1024 * 1024;

function patterned(size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 4) bytes.writeUInt32LE((i * 2654435761) >>> 0, i);
  return bytes;
}

// A path whose response is stored. Larger than the memory tier keeps: from the disk.
async function stored(body, fields = {}) {
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60', ETag: '"v"', 'Content-Type': 'text/plain', ...fields }, body });
  await lab.store(path);
  return path;
}

const ranged = (path, range, fields = {}) => lab.get(path, { fields: { Range: range, ...fields } });

// [{type, range, body}] of a multipart/byteranges response.
function partsOf(response) {
  const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(response.field('content-type'))?.[1];
  assert.ok(boundary, response.head);
  assert.equal(response.has('content-range'), false);
  assert.equal(response.field('content-length'), String(response.body.length));
  const pieces = `\r\n${response.body.toString('latin1')}`.split(`\r\n--${boundary}`);
  assert.equal(pieces.shift(), '');
  assert.equal(pieces.pop(), '--\r\n');
  return pieces.map((piece) => {
    const end = piece.indexOf('\r\n\r\n');
    const head = piece.slice(2, end);
    return {
      type: /^Content-Type: (.*)$/m.exec(head)?.[1].trim(),
      range: /^Content-Range: (.*)$/m.exec(head)?.[1].trim(),
      body: Buffer.from(piece.slice(end + 4), 'latin1'),
    };
  });
}

function expectParts(response, body, ranges, type = 'text/plain') {
  assert.equal(response.status, 206, response.head);
  assert.equal(response.complete, true);
  const parts = partsOf(response);
  assert.deepEqual(parts.map((part) => part.range), ranges.map(([a, b]) => `bytes ${a}-${b}/${body.length}`));
  for (const [i, [a, b]] of ranges.entries()) {
    assert.equal(parts[i].type, type);
    assert.ok(parts[i].body.equals(body.subarray(a, b + 1)), `part ${i} differs`);
  }
}

for (const [where, size] of [['memory', 1000], ['disk', 24 * kMiB]]) {
  test(`several ranges from ${where}: multipart/byteranges in the order of the request`, async () => {
    const body = patterned(size);
    const path = await stored(body);
    const response = await ranged(path, `bytes=900-909,0-9,-${5}`);
    expectHit(response);
    if (size === 1000) {
      expectParts(response, body, [[900, 909], [0, 9], [995, 999]]);
    } else {
      expectParts(response, body, [[900, 909], [0, 9], [size - 5, size - 1]]);
    }
    assert.equal(response.field('etag'), '"v"');
    assert.equal(lab.origin.requestsFor(path).length, 1);
  });
}

test('ranges that overlap or nearly touch become one; one that is left is a plain 206', async () => {
  const body = patterned(1000);
  const path = await stored(body);
  const response = await ranged(path, 'bytes=0-99,50-149,200-249');
  assert.equal(response.status, 206);
  assert.equal(response.field('content-range'), 'bytes 0-249/1000');
  assert.ok(response.body.equals(body.subarray(0, 250)));
  const rest = await ranged(path, 'bytes=0-9,5000-6000');
  assert.equal(rest.field('content-range'), 'bytes 0-9/1000');
});

test('too many ranges: the whole', async () => {
  const body = patterned(10000);
  const path = await stored(body);
  const many = Array.from({ length: 40 }, (_, i) => `${i * 200}-${i * 200}`).join(',');
  expectWhole(await ranged(path, `bytes=${many}`), 200, body);
});

test('no range that can be satisfied: 416 with the length', async () => {
  const path = await stored(patterned(1000));
  for (const range of ['bytes=1000-', 'bytes=2000-3000,4000-', 'bytes=-0']) {
    const response = await ranged(path, range);
    assert.equal(response.status, 416, range);
    assert.equal(response.field('content-range'), 'bytes */1000');
  }
});

test('HEAD knows no ranges', async () => {
  const path = await stored(patterned(1000));
  const response = await lab.get(path, { method: 'HEAD', fields: { Range: 'bytes=0-1,500-501' } });
  assert.equal(response.status, 200);
  assert.equal(response.field('content-length'), '1000');
});

test('If-Range: the tag by strong comparison, or the whole', async () => {
  const body = patterned(1000);
  const path = await stored(body);
  expectParts(await ranged(path, 'bytes=0-9,500-509', { 'If-Range': '"v"' }), body, [[0, 9], [500, 509]]);
  for (const tag of ['"w"', 'W/"v"']) expectWhole(await ranged(path, 'bytes=0-9,500-509', { 'If-Range': tag }), 200, body);
});

// A response of which `before` bytes have come, the rest with the gate. A request with Range gets that part.
function arriving(path, body, before, { fields = {}, part } = {}) {
  const { opened, open } = gate();
  const sent = gate();
  lab.origin.on(path, async (request, reply) => {
    if (request.has('range') && part) return part(request, reply);
    reply.head(200, { Date: new Date().toUTCString(), 'Cache-Control': 'max-age=60', ETag: '"v"', 'Content-Length': String(body.length), ...fields });
    await reply.written(body.subarray(0, before));
    sent.open();
    await opened;
    reply.write(body.subarray(before));
  });
  return { open, sent: sent.opened };
}

async function inFlight(path, body, before, options) {
  const { open, sent } = arriving(path, body, before, options);
  const client = await lab.connect();
  const head = await client.request(path).responseHead();
  await sent;
  let got = 0;
  while (got < before) got += (await client.bodyPart(head)).length;
  return { open, finish: () => client.finishBody(head) };
}

test('several ranges from what is arriving: in ascending order they stream', async () => {
  const body = patterned(4000);
  const path = lab.path();
  const whole = await inFlight(path, body, 1000, { fields: { 'Content-Type': 'text/plain' } });
  const client = await lab.connect();
  const response = await client.request(path, { fields: { Range: 'bytes=0-99,500-599,3000-3099' } }).responseHead();
  assert.equal(response.status, 206);
  await client.bodyUntil(response, 'bytes 500-599/4000');
  whole.open();
  await client.finishBody(response);
  expectParts(response, body, [[0, 99], [500, 599], [3000, 3099]]);
  await whole.finish();
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('... and in another order the whole is sent', async () => {
  const body = patterned(4000);
  const path = lab.path();
  const whole = await inFlight(path, body, 1000);
  const client = await lab.connect();
  const response = await client.request(path, { fields: { Range: 'bytes=3000-3099,0-99' } }).responseHead();
  whole.open();
  expectWhole(await client.finishBody(response), 200, body);
  await whole.finish();
});

test('a range near to what has arrived waits for its bytes and no longer', async () => {
  const body = patterned(3 * kMiB);
  const path = lab.path();
  const whole = await inFlight(path, body, kMiB);
  const response = await ranged(path, 'bytes=1000-1099');
  assert.equal(response.status, 206);
  assert.ok(response.body.equals(body.subarray(1000, 1100)));
  whole.open();
  await whole.finish();
  assert.equal(lab.origin.requestsFor(path).length, 1);
});

test('a range that begins more than 1 MiB past what has arrived is asked for on its own', async () => {
  const body = patterned(4 * kMiB);
  const path = lab.path();
  const far = 3 * kMiB;
  const whole = await inFlight(path, body, 64 * 1024, {
    part: (request, reply) => {
      assert.equal(request.field('range'), `bytes=${far}-${far + 99}`);
      reply.send(206, { ETag: '"v"', 'Cache-Control': 'max-age=60', 'Content-Range': `bytes ${far}-${far + 99}/${body.length}` }, body.subarray(far, far + 100));
    },
  });
  const response = await ranged(path, `bytes=${far}-${far + 99}`);
  assert.equal(response.status, 206);
  assert.equal(response.field('content-range'), `bytes ${far}-${far + 99}/${body.length}`);
  assert.ok(response.body.equals(body.subarray(far, far + 100)));
  assert.equal(cacheStatus(response).detail, 'far-range');
  assert.equal(lab.origin.requestsFor(path).length, 2);
  whole.open();
  await whole.finish();
  expectHit(await ranged(path, `bytes=${far}-${far + 99}`));
});

test('a range near the start on a miss: the whole is fetched and serves all', async () => {
  const body = patterned(1000);
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    assert.equal(request.has('range'), false);
    reply.send(200, { 'Cache-Control': 'max-age=60', ETag: '"v"' }, body);
  });
  const response = await ranged(path, 'bytes=10-19');
  expectForwarded(response);
  assert.ok(response.body.equals(body.subarray(10, 20)));
  expectHit(await lab.get(path));
});

for (const [name, range] of [['a suffix', 'bytes=-5'], ['a range far in', `bytes=${2 * kMiB}-${2 * kMiB + 4}`]]) {
  test(`${name} on a miss is sent on`, async () => {
    const path = lab.path();
    lab.origin.on(path, (request, reply) => {
      reply.send(206, { 'Cache-Control': 'no-store', 'Content-Range': `bytes ${2 * kMiB}-${2 * kMiB + 4}/${2 * kMiB + 5}` }, 'abcde');
    });
    const response = await ranged(path, range);
    assert.equal(response.status, 206);
    assert.equal(response.text, 'abcde');
    assert.equal(lab.origin.requestsFor(path)[0].field('range'), range);
    expectForwarded(response);
  });
}

test('an origin without ranges: the 200 is cut here', async () => {
  const body = patterned(1000);
  const path = lab.path();
  lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=60', ETag: '"v"' }, body });
  const response = await ranged(path, 'bytes=-5');
  assert.equal(response.status, 206);
  assert.equal(response.field('content-range'), 'bytes 995-999/1000');
  assert.ok(response.body.equals(body.subarray(995)));
});

test('the answers 304, 412 and 416 to a range that was sent on reach the client', async () => {
  for (const status of [412, 416]) {
    const path = lab.path();
    lab.origin.on(path, { status, fields: { 'Content-Range': 'bytes */3' } });
    assert.equal((await ranged(path, 'bytes=-5')).status, status);
  }
  const path = lab.path();
  lab.origin.on(path, { status: 206, fields: { ETag: '"v"', 'Content-Range': 'bytes 5-9/10' }, body: '56789' });
  assert.equal((await ranged(path, 'bytes=-5', { 'If-None-Match': '"v"' })).status, 304);
});

test('If-Range on a miss: the whole is fetched, the condition evaluated here', async () => {
  const body = patterned(1000);
  const path = lab.path();
  lab.origin.on(path, (request, reply) => {
    assert.equal(request.has('range') || request.has('if-range'), false);
    reply.send(200, { 'Cache-Control': 'max-age=60', ETag: '"v"' }, body);
  });
  expectWhole(await ranged(path, 'bytes=-5', { 'If-Range': '"old"' }), 200, body);
});

// A path whose origin gives the end of `body` to whoever asks for it: the part is stored.
async function partOf(body, first, fields = {}) {
  const path = lab.path();
  const all = { 'Cache-Control': 'max-age=60', ETag: '"v"', ...fields };
  lab.origin.on(path, (request, reply) => {
    if (!request.has('range')) return reply.send(200, all, body);
    reply.send(206, { ...all, 'Content-Range': `bytes ${first}-${body.length - 1}/${body.length}` }, body.subarray(first));
  });
  const response = await ranged(path, `bytes=-${body.length - first}`);
  assert.equal(response.status, 206);
  assert.ok(response.body.equals(body.subarray(first)));
  return path;
}

test('a part that came alone serves the ranges that lie in it (RFC 9111 section 3.3)', async () => {
  const body = patterned(1000);
  const path = await partOf(body, 900);
  for (const [range, a, b] of [['bytes=900-', 900, 999], ['bytes=950-959', 950, 959], ['bytes=-1', 999, 999], ['bytes=-100', 900, 999], ['bytes=990-5000', 990, 999]]) {
    const response = await ranged(path, range);
    expectHit(response);
    assert.equal(response.status, 206);
    assert.equal(response.field('content-range'), `bytes ${a}-${b}/1000`);
    assert.equal(response.field('content-length'), String(b - a + 1));
    assert.ok(response.body.equals(body.subarray(a, b + 1)), range);
  }
  assert.equal(lab.origin.requestsFor(path).length, 1);
  assert.equal((await ranged(path, 'bytes=-9', { 'If-None-Match': '"v"' })).status, 304);
});

test('what does not lie in it: the whole is fetched', async () => {
  const body = patterned(1000);
  const path = await partOf(body, 900);
  const response = await ranged(path, 'bytes=890-910');
  assert.ok(response.body.equals(body.subarray(890, 911)));
  assert.equal(lab.origin.requestsFor(path)[1].has('range'), false);
  expectHit(await lab.get(path));
});

test('a part is neither for requests without Range nor for several ranges', async () => {
  const body = patterned(1000);
  const path = await partOf(body, 900);
  expectWhole(await lab.get(path), 200, body);
  assert.equal(lab.origin.requestsFor(path).length, 2);
});

for (const [why, fields] of [['no-store', { 'Cache-Control': 'no-store' }], ['private', { 'Cache-Control': 'private, max-age=60' }], ['stale', { Age: '60' }]]) {
  test(`a part is not used: ${why}`, async () => {
    const path = await partOf(patterned(1000), 900, fields);
    expectForwarded(await ranged(path, 'bytes=-10'));
  });
}

test('a purge of the URL takes its parts', async () => {
  const body = patterned(1000);
  const path = await partOf(body, 900);
  expectHit(await ranged(path, 'bytes=-10'));
  await lab.get(path, { method: 'DELETE' });
  expectForwarded(await ranged(path, 'bytes=-10'));
});

test('a part is selected by Vary', async () => {
  const path = await partOf(patterned(1000), 900, { Vary: 'X-Kind' });
  expectHit(await ranged(path, 'bytes=-10'));
  expectForwarded(await ranged(path, 'bytes=-10', { 'X-Kind': 'other' }));
});

// An origin that answers every Range with a beginning, whatever was asked for (as a suffix on a miss is sent on): the part is stored.
for (const [why, tag, combined] of [['the same strong tag', '"v"', true], ['another tag', '"w"', false], ['a weak tag', 'W/"v"', false], ['no tag', undefined, false]]) {
  test(`a stored beginning and the rest, ${why}: ${combined ? 'combined' : 'not combined'} (RFC 9111 section 3.4)`, async () => {
    const path = lab.path();
    const body = patterned(1000);
    const first = why === 'another tag' ? '"v"' : tag;
    const fields = (etag) => ({ 'Cache-Control': 'max-age=60', ...(etag && { ETag: etag }) });
    lab.origin.on(path, (request, reply) => {
      const range = request.field('range');
      if (range === 'bytes=-600') return reply.send(206, { ...fields(first), 'Content-Range': 'bytes 0-599/1000' }, body.subarray(0, 600));
      if (range === 'bytes=600-') return reply.send(206, { ...fields(tag), 'Content-Range': 'bytes 600-999/1000' }, body.subarray(600));
      reply.send(200, fields(tag), body);
    });
    await ranged(path, 'bytes=-600');
    expectWhole(await lab.get(path), 200, body);
    const [, rest, whole] = lab.origin.requestsFor(path);
    assert.equal(rest.field('range'), 'bytes=600-');
    assert.equal(rest.field('if-range'), first?.startsWith('"') ? first : undefined);
    assert.equal(whole === undefined, combined);
    const again = await lab.get(path);
    expectHit(again);
    expectWhole(again, 200, body);
    assert.equal(again.has('content-range'), false);
  });
}
