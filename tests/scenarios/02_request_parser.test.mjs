// What the edge refuses to understand (RFC 9112): a request that two recipients could read in two ways is answered 400 and the connection closed; nothing of
// it reaches the origin (G9).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectClosed, expectWhole } from '../support/expect.mjs';
import { sharedLab } from '../support/lab.mjs';

const lab = sharedLab({
  settings: { 'server.max_request_line': '8KiB', 'server.max_field': '8KiB', 'server.max_head': '32KiB' },
});

// Sends the bytes, expects the status and the close, and that the origin saw no request for the path.
async function refused(bytes, status = 400, path = undefined) {
  const client = await lab.connect();
  const before = lab.origin.requests.length;
  client.send(bytes);
  const response = await client.response('GET');
  assert.equal(response.status, status, response.head);
  assert.equal(response.complete, true, 'the refusal itself is a whole response');
  assert.match(response.field('connection') ?? '', /close/i);
  await expectClosed(client);
  if (path !== undefined) assert.equal(lab.origin.requestsFor(path).length, 0, 'the origin saw it');
  else assert.equal(lab.origin.requests.length, before, 'the origin saw it');
  client.close();
}

const latin = (text) => Buffer.from(text, 'latin1');

const malformed = {
  'a bare LF ends the request line': 'GET /x HTTP/1.1\nHost: a\r\n\r\n',
  'a bare LF ends a field line': 'GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n',
  'a bare LF ends the head': 'GET /x HTTP/1.1\r\nHost: a\r\n\n',
  'a bare CR inside a field value': 'GET /x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n',
  'a bare CR inside the request line': 'GET /x\r HTTP/1.1\r\nHost: a\r\n\r\n',
  'obs-fold': 'GET /x HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n',
  'a first field line that begins with white space': 'GET /x HTTP/1.1\r\n Host: a\r\n\r\n',
  'white space before the colon': 'GET /x HTTP/1.1\r\nHost : a\r\n\r\n',
  'a tab before the colon': 'GET /x HTTP/1.1\r\nHost: a\r\nX\t: y\r\n\r\n',
  'a field line without a colon': 'GET /x HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n',
  'an empty field name': 'GET /x HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n',
  'a field name with a character that is no token': 'GET /x HTTP/1.1\r\nHost: a\r\nX@Y: z\r\n\r\n',
  'NUL in a field value': 'GET /x HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n',
  'NUL in the target': 'GET /x\0y HTTP/1.1\r\nHost: a\r\n\r\n',
  'a control character in the target': 'GET /x\x01 HTTP/1.1\r\nHost: a\r\n\r\n',
  'DEL in the target': 'GET /x\x7f HTTP/1.1\r\nHost: a\r\n\r\n',
  'two spaces in the request line': 'GET  /x HTTP/1.1\r\nHost: a\r\n\r\n',
  'a space inside the target': 'GET /x y HTTP/1.1\r\nHost: a\r\n\r\n',
  'a request line without a version': 'GET /x\r\nHost: a\r\n\r\n',
  'a lower-case version': 'GET /x http/1.1\r\nHost: a\r\n\r\n',
  'a version with too many digits': 'GET /x HTTP/1.10\r\nHost: a\r\n\r\n',
  'a method that is no token': 'G(T /x HTTP/1.1\r\nHost: a\r\n\r\n',
  'an empty method': ' /x HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target that is neither a path nor a URI': 'GET x HTTP/1.1\r\nHost: a\r\n\r\n',
  'an asterisk with GET': 'GET * HTTP/1.1\r\nHost: a\r\n\r\n',
  'no Host': 'GET /x HTTP/1.1\r\nX: y\r\n\r\n',
  'two Hosts': 'GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n',
  'a Host with a space': 'GET /x HTTP/1.1\r\nHost: a b\r\n\r\n',
  'a Host with a path': 'GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n',
  'a Host with user information': 'GET /x HTTP/1.1\r\nHost: u@a\r\n\r\n',
  'a Host with a comma': 'GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n',
  'a Host with a bad port': 'GET /x HTTP/1.1\r\nHost: a:8x\r\n\r\n',
  'two different Content-Lengths': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  'two equal Content-Lengths': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
  'a list as Content-Length': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\na',
  'a Content-Length with a sign': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na',
  'a negative Content-Length': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na',
  'a Content-Length that is no number': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\na',
  'an empty Content-Length': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n',
  'a Content-Length beyond 64 bits': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n',
  'Content-Length with Transfer-Encoding': 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'Transfer-Encoding with Content-Length': 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
  'chunked that is not last': 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  'Transfer-Encoding in HTTP/1.0': 'POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
};

for (const [title, bytes] of Object.entries(malformed)) {
  test(`G9: ${title}: 400, close, and the origin sees nothing`, () => refused(latin(bytes)));
}

for (const coding of ['gzip, chunked', 'chunked, chunked', '"chunked"', 'xchunked', 'identity', '']) {
  test(`G9: the transfer coding ${JSON.stringify(coding)} is refused, with 400 or 501 (RFC 9112 section 6.1)`, async () => {
    const client = await lab.connect();
    const before = lab.origin.requests.length;
    client.send(`POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`);
    const response = await client.response('POST');
    assert.ok([400, 501].includes(response.status), response.head);
    await expectClosed(client);
    assert.equal(lab.origin.requests.length, before);
  });
}

test('HTTP/2.0 in a request line is refused', async () => {
  const client = await lab.connect();
  client.send('GET /x HTTP/2.0\r\nHost: a\r\n\r\n');
  const response = await client.response();
  assert.ok([400, 505].includes(response.status), response.head);
  await expectClosed(client);
});

test('what follows a refused request on the connection is not answered', async () => {
  const client = await lab.connect();
  client.send('GET /x HTTP/1.1\r\nHost : a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.response()).status, 400);
  await expectClosed(client);
  assert.equal(lab.origin.requestsFor('/smuggled').length, 0);
});

test('a request line over the limit: 414 and close', async () => {
  await refused(`GET /${'a'.repeat(9 * 1024)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414);
});

test('a field over the limit: 431 and close', async () => {
  await refused(`GET /x HTTP/1.1\r\nHost: a\r\nX-Long: ${'a'.repeat(9 * 1024)}\r\n\r\n`, 431);
});

test('a head over the limit: 431 and close', async () => {
  const lines = Array.from({ length: 10 }, (_, i) => `X-${i}: ${'a'.repeat(4 * 1024)}\r\n`).join('');
  await refused(`GET /x HTTP/1.1\r\nHost: a\r\n${lines}\r\n`, 431);
});

test('too many fields: 431 and close', async () => {
  await refused(`GET /x HTTP/1.1\r\nHost: a\r\n${'A:b\r\n'.repeat(5000)}\r\n`, 431);
});

test('a line over the limit is refused before it ends', async () => {
  const client = await lab.connect();
  client.send(`GET /${'a'.repeat(40 * 1024)}`);
  assert.equal((await client.response()).status, 414);
});

test('a request that arrives in single bytes is understood', async () => {
  const path = lab.path();
  lab.origin.on(path, { body: 'x' });
  const client = await lab.connect();
  await client.sendBytewise(`GET ${path} HTTP/1.1\r\nHost: single.example\r\nX-Field: some value\r\n\r\n`);
  expectWhole(await client.response(), 200, 'x');
  assert.equal(lab.origin.requestsFor(path)[0].field('x-field'), 'some value');
});

test('a malformed request that arrives in single bytes is refused', async () => {
  const client = await lab.connect();
  client.socket.on('error', () => {});
  await client.sendBytewise('GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n').catch(() => {});
  assert.equal((await client.response()).status, 400);
});

test('a chunked body that arrives in single bytes is understood', async () => {
  const path = lab.path();
  lab.origin.on(path, async (request, reply) => { await request.whole(); reply.send(200, {}, request.body); });
  const client = await lab.connect();
  await client.sendBytewise(`POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: v\r\n\r\n`);
  expectWhole(await client.response('POST'), 200, 'hello!');
});

test('an empty line before the request line is ignored (RFC 9112 section 2.2)', async () => {
  const path = lab.path();
  lab.origin.on(path, { body: 'x' });
  const client = await lab.connect();
  client.send(`\r\nGET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  expectWhole(await client.response(), 200, 'x');
});

test('white space around a field value is not part of it, inside it is kept', async () => {
  const path = lab.path();
  lab.origin.on(path, { body: 'x' });
  const client = await lab.connect();
  client.send(`GET ${path} HTTP/1.1\r\nHost:a\r\nX-A: \t a \t b \t \r\nX-Empty:\r\n\r\n`);
  expectWhole(await client.response(), 200, 'x');
  const [request] = lab.origin.requestsFor(path);
  assert.ok(request.headBytes.toString('latin1').includes('a \t b'), request.headBytes.toString('latin1'));
  assert.equal(request.field('x-empty'), '');
});

test('bytes above 0x7f in a field value pass', async () => {
  const path = lab.path();
  lab.origin.on(path, { body: 'x' });
  const client = await lab.connect();
  client.send(latin(`GET ${path} HTTP/1.1\r\nHost: a\r\nX-Name: Andr\xe9\r\n\r\n`));
  expectWhole(await client.response(), 200, 'x');
  assert.equal(lab.origin.requestsFor(path)[0].field('x-name'), 'Andr\xe9');
});

test('what follows a CONNECT on the connection is not taken for a request', async () => {
  const client = await lab.connect();
  client.send('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET /tunnelled HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.response()).status, 501);
  await expectClosed(client);
  assert.equal(lab.origin.requestsFor('/tunnelled').length, 0);
});
