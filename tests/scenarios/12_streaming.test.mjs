// Server-sent events and long polls pass through unbuffered: what the origin has sent is at the client before the origin sends more.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

import { expectWhole } from '../support/expect.mjs';
import { sharedLab } from '../support/lab.mjs';
import { lowered } from '../support/message.mjs';
import { eventually, gate } from '../support/waiting.mjs';

const lab = sharedLab();
const events = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' };

// The origin sends event i when gates[i] opens.
function stream(path, framing, n) {
  const gates = Array.from({ length: n }, gate);
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { ...events, ...(framing === 'chunked' ? { 'Transfer-Encoding': 'chunked' } : { Connection: 'close' }) });
    for (const [i, { opened }] of gates.entries()) {
      await opened;
      const event = `data: event ${i}\n\n`;
      if (framing === 'chunked') reply.chunk(event);
      else reply.write(event);
    }
    if (framing === 'chunked') reply.lastChunk();
    else reply.end();
  });
  return gates;
}

for (const framing of ['chunked', 'close']) {
  test(`server-sent events, framed by ${framing}: each event arrives before the origin sends the next`, async () => {
    const path = lab.path();
    const gates = stream(path, framing, 5);
    const client = await lab.connect();
    const response = await client.request(path, { fields: { Accept: 'text/event-stream' } }).responseHead();
    assert.equal(response.field('content-type'), 'text/event-stream');
    for (const [i, { open }] of gates.entries()) {
      open();
      await client.bodyUntil(response, `event ${i}\n\n`);
    }
    expectWhole(await client.finishBody(response), 200, gates.map((_, i) => `data: event ${i}\n\n`).join(''));
  });
}

test('the head of a response arrives before its body', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { 'Content-Length': '4', 'Cache-Control': 'no-store' });
    await opened;
    reply.write('body');
  });
  const client = await lab.connect();
  const response = await client.request(path).responseHead();
  assert.equal(response.field('content-length'), '4');
  open();
  expectWhole(await client.finishBody(response), 200, 'body');
});

test('a stored response streams in the same way while it is being filled', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { 'Transfer-Encoding': 'chunked', 'Cache-Control': 'max-age=60' }).chunk('a');
    await opened;
    reply.chunk('b').lastChunk();
  });
  const client = await lab.connect();
  const response = await client.request(path).responseHead();
  await client.bodyUntil(response, 'a');
  open();
  expectWhole(await client.finishBody(response), 200, 'ab');
});

for (const leave of ['reset', 'close']) {
  test(`an endless stream ends at the origin when its client leaves (${leave})`, async () => {
    const path = lab.path();
    let request;
    lab.origin.on(path, async (r, reply) => {
      request = r;
      reply.head(200, { 'Content-Type': 'text/event-stream', 'Transfer-Encoding': 'chunked', 'Cache-Control': 'no-store' }).chunk('data: 1\n\n');
      // A client that only closes its side may still be reading: the edge finds out by the events that follow.
      const more = setInterval(() => reply.chunk('data: more\n\n'), 20);
      if (leave === 'reset') clearInterval(more);
      await r.gone().finally(() => clearInterval(more));
      reply.destroy();
    });
    const client = await lab.connect();
    const response = await client.request(path).responseHead();
    await client.bodyUntil(response, 'data: 1');
    client[leave]();
    await request.gone();
  });
}

test('a long poll that no one answers yet holds up no other request', async () => {
  const poll = lab.path('poll');
  const other = lab.path('other');
  const { opened, open } = gate();
  lab.origin.on(poll, async (_, reply) => { await opened; reply.send(200, { 'Cache-Control': 'no-store' }, 'news'); });
  lab.origin.on(other, { fields: { 'Cache-Control': 'no-store' }, body: 'other' });
  const client = await lab.connect();
  client.request(poll);
  await lab.origin.received(poll);
  for (let i = 0; i < 10; ++i) expectWhole(await lab.get(other), 200, 'other');
  open();
  expectWhole(await client.response(), 200, 'news');
});

test('a client that leaves while it waits for the head: the origin is told, or finishes; the next client is served', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => { await opened; reply.send(200, { 'Cache-Control': 'max-age=60' }, 'x'); });
  const client = await lab.connect();
  client.request(path);
  await lab.origin.received(path);
  client.reset();
  open();
  expectWhole(await lab.get(path), 200, 'x');
});

test('trailers go on to a client that takes them, and are left out for one that does not', async () => {
  const path = lab.path();
  lab.origin.on(path, (_, reply) => {
    reply.head(200, { 'Transfer-Encoding': 'chunked', 'Cache-Control': 'no-store', Trailer: 'X-Sum' });
    reply.chunk('body');
    // Who frames, caches, sets cookies or authenticates says so in front (RFC 9110 section 6.5.1).
    reply.write('0\r\nX-Sum: 42\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\nCache-Control: max-age=9\r\nConnection: close\r\nLocation: /\r\n\r\n');
  });
  const taking = await lab.get(path, { fields: { TE: 'trailers', Connection: 'TE' } });
  assert.equal(taking.text, 'body');
  assert.deepEqual(lowered(taking.trailers), [['x-sum', '42']]);
  const other = await lab.get(path);
  assert.equal(other.text, 'body');
  assert.deepEqual(other.trailers, []);
});

test('a trailer never brings what steers a message (RFC 9110 section 6.5.1), neither streamed nor stored', async () => {
  const harmful = ['Content-Length: 3', 'Transfer-Encoding: chunked', 'Connection: close', 'Trailer: X', 'Set-Cookie: a=b', 'Cache-Control: max-age=9',
    'Content-Type: text/html', 'Content-Encoding: gzip', 'Content-Range: bytes 0-0/1', 'Location: /elsewhere', 'Age: 5', 'Vary: *', 'Host: elsewhere',
    'Authorization: x', 'WWW-Authenticate: Basic', 'Expires: 0', 'Upgrade: h2c', 'Keep-Alive: timeout=1', 'Proxy-Authenticate: x'];
  for (const control of ['no-store', 'max-age=60']) {
    const path = lab.path();
    lab.origin.on(path, (_, reply) => {
      reply.head(200, { 'Transfer-Encoding': 'chunked', 'Cache-Control': control });
      reply.chunk('body');
      reply.write(`0\r\n${harmful.join('\r\n')}\r\nX-Sum: 42\r\n\r\n`);
    });
    const response = await lab.get(path, { fields: { TE: 'trailers', Connection: 'TE' } });
    expectWhole(response, 200, 'body');
    assert.deepEqual(lowered(response.trailers), [['x-sum', '42']]);
    const again = await lab.get(path);
    expectWhole(again, 200, 'body');
    assert.equal(again.has('set-cookie'), false);
  }
});

// The kernel's timer on the edge's end of each established connection from or to `port`; '02' is that of keep-alive probes.
function timersOf({ local, remote }) {
  const port = (address) => parseInt(address.split(':')[1], 16);
  return fs.readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1).map((line) => line.trim().split(/\s+/))
    .filter((row) => row[3] === '01' && (local === undefined || port(row[1]) === local) && (remote === undefined || port(row[2]) === remote))
    .map((row) => row[5].slice(0, 2));
}

test('during a silent stream both connections are probed, so that a peer which has died is noticed', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (_, reply) => {
    reply.head(200, { 'Cache-Control': 'max-age=60' });
    await opened;
    reply.end();
  });
  const client = await lab.connect();
  const response = await client.request(path).responseHead();
  await eventually(() => timersOf({ local: Number(new URL(lab.edge.url).port) }).includes('02'), 'a probing timer towards the client');
  await eventually(() => timersOf({ remote: Number(new URL(lab.origin.url).port) }).includes('02'), 'one towards the origin');
  open();
  await client.finishBody(response);
});
