// How long a stored response is fresh (RFC 9111 section 4.2), and when it is used although it is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectRevalidated, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';
import { storing } from '../support/reuse.mjs';
import { gate } from '../support/waiting.mjs';

const lab = sharedLab();
const { stored, asked } = storing(lab);
const at = (seconds) => new Date(Date.now() + 1000 * seconds).toUTCString();
const rfc850 = (seconds) => at(seconds).replace(/^(\w+), (\d+) (\w+) \d\d(\d\d)/, (_, day, date, month, year) =>
  `${{ Sun: 'Sunday', Mon: 'Monday', Tue: 'Tuesday', Wed: 'Wednesday', Thu: 'Thursday', Fri: 'Friday', Sat: 'Saturday' }[day]}, ${date}-${month}-${year}`);
const etag = { ETag: '"v1"' };

// [what, response fields, the lifetime that is left]; the fields are made when the test runs.
const fresh = [
  ['max-age', () => ({ 'Cache-Control': 'max-age=600' }), 600],
  ['s-maxage over max-age and Expires', () => ({ 'Cache-Control': 'max-age=1, s-maxage=600', Expires: at(-10) }), 600],
  ['max-age over Expires', () => ({ 'Cache-Control': 'max-age=600', Expires: at(-10) }), 600],
  ['Expires less Date, whatever the origin\'s clock', () => ({ Date: at(5000), Expires: at(5600) }), 600],
  ['Expires in the obsolete RFC 850 format', () => ({ Expires: rfc850(600) }), 600],
  ['a quoted number', () => ({ 'Cache-Control': 'max-age="600"' }), 600],
  ['names without regard to case', () => ({ 'Cache-Control': 'S-MaxAge=600' }), 600],
  ['a directive inside a quoted string is none', () => ({ 'Cache-Control': 'x="a, no-store, max-age=0", max-age=600' }), 600],
  ['more than 2^31 seconds', () => ({ 'Cache-Control': 'max-age=99999999999999999999999' }), 2 ** 31],
  ['two lines: the least', () => [['Cache-Control', 'max-age=600'], ['Cache-Control', 'max-age=900']], 600],
  ['two in one line: the least', () => ({ 'Cache-Control': 'max-age=900, max-age=600' }), 600],
  ['less the Age that it came with', () => ({ 'Cache-Control': 'max-age=600', Age: '100' }), 500],
  ['Age: the first of several', () => ({ 'Cache-Control': 'max-age=600', Age: '100, 599' }), 500],
  ['Age: the first of several lines', () => [['Cache-Control', 'max-age=600'], ['Age', '100'], ['Age', '599']], 500],
  ['Age: no number, ignored', () => ({ 'Cache-Control': 'max-age=600', Age: '-700' }), 600],
  ['less the time since Date', () => ({ 'Cache-Control': 'max-age=600', Date: at(-100) }), 500],
  ['the greater of Age and the time since Date', () => ({ 'Cache-Control': 'max-age=600', Date: at(-100), Age: '300' }), 300],
  ['CDN-Cache-Control over Cache-Control and Expires', () => ({ 'CDN-Cache-Control': 'max-age=600', 'Cache-Control': 'no-store', Expires: '0' }), 600],
  ['an invalid CDN-Cache-Control is ignored', () => ({ 'CDN-Cache-Control': 'max-age=1, &', 'Cache-Control': 'max-age=600' }), 600],
  ['an empty CDN-Cache-Control is ignored', () => ({ 'CDN-Cache-Control': '', 'Cache-Control': 'max-age=600' }), 600],
  ['an unknown targeted field is ignored', () => ({ 'Other-Cache-Control': 'max-age=1', 'Cache-Control': 'max-age=600' }), 600],
  ['Surrogate-Control over Cache-Control', () => ({ 'Surrogate-Control': 'max-age=600', 'Cache-Control': 'max-age=1' }), 600],
  ['CDN-Cache-Control over Surrogate-Control', () => ({ 'CDN-Cache-Control': 'max-age=600', 'Surrogate-Control': 'max-age=1' }), 600],
  ['Surrogate-Control for another device is ignored', () => ({ 'Surrogate-Control': 'max-age=1;elsewhere', 'Cache-Control': 'max-age=600' }), 600],
  ['immutable adds nothing', () => ({ 'Cache-Control': 'max-age=600, immutable' }), 600],
  ['Pragma in a response means nothing', () => ({ 'Cache-Control': 'max-age=600', Pragma: 'no-cache' }), 600],
  ['heuristic: 10 % of the time since Last-Modified', () => ({ 'Last-Modified': at(-6000) }), 600],
  ['heuristic: a day at most', () => ({ 'Last-Modified': at(-100 * 86400) }), 86400],
];

for (const [what, fields, lifetime] of fresh) {
  test(`fresh: ${what}`, async () => {
    const { ttl } = await stored(fields);
    assert.ok(ttl <= lifetime && ttl > lifetime - 60, `ttl is ${ttl}, not ${lifetime}`);
  });
}

const staleFields = [
  ['max-age=0', () => ({ 'Cache-Control': 'max-age=0' })],
  ...['-600', '+600', '600.0', '600.5', '0x600', 'abc', '600a', '', '"600', ' 600'].map((value) =>
    [`max-age=${value}`, () => ({ 'Cache-Control': `max-age=${value}` })]),
  ['max-age without a value', () => ({ 'Cache-Control': 'max-age' })],
  ['s-maxage=0 over max-age', () => ({ 'Cache-Control': 's-maxage=0, max-age=600' })],
  ['an invalid s-maxage over max-age', () => ({ 'Cache-Control': 's-maxage=x, max-age=600' })],
  ['two lines, one stale', () => [['Cache-Control', 'max-age=600'], ['Cache-Control', 'max-age=0']]],
  ['two in one line, one stale', () => ({ 'Cache-Control': 'max-age=0, max-age=600' })],
  ...['0', '-1', 'tomorrow', 'Thu, 01 Jan 1970 00:00:00 GMT'].map((value) => [`Expires: ${value}`, () => ({ Expires: value })]),
  ['Expires in another zone than GMT', () => ({ Expires: at(7200).replace('GMT', 'PST') })],
  ['two different Expires', () => [['Expires', at(600)], ['Expires', at(900)]]],
  ['Age beyond the lifetime', () => ({ 'Cache-Control': 'max-age=600', Age: '600' })],
  ['an Age of more than 2^31', () => ({ 'Cache-Control': 'max-age=600', Age: '99999999999999999999999' })],
  ['Date longer ago than the lifetime', () => ({ 'Cache-Control': 'max-age=600', Date: at(-700) })],
  ['CDN-Cache-Control: max-age=0 over Cache-Control', () => ({ 'CDN-Cache-Control': 'max-age=0', 'Cache-Control': 'max-age=600' })],
  ['CDN-Cache-Control: a lifetime that is a string', () => ({ 'CDN-Cache-Control': 'max-age="600"', 'Cache-Control': 'max-age=600' })],
  ['CDN-Cache-Control: no-cache', () => ({ 'CDN-Cache-Control': 'no-cache', 'Cache-Control': 'max-age=600' })],
  ['Surrogate-Control: max-age=0 over Cache-Control', () => ({ 'Surrogate-Control': 'max-age=0', 'Cache-Control': 'max-age=600' })],
  ['Surrogate-Control: no-store', () => ({ 'Surrogate-Control': 'no-store', 'Cache-Control': 'max-age=600' })],
  ['immutable alone', () => ({ 'Cache-Control': 'immutable' })],
  ['a validator alone', () => ({})],
  ['Last-Modified in the future', () => ({ 'Last-Modified': at(86400) })],
  ['stale-if-error alone', () => ({ 'Cache-Control': 'stale-if-error=600' })],
];

for (const [what, fields] of staleFields) {
  test(`not fresh: ${what}`, async () => {
    const given = fields();
    const list = Array.isArray(given) ? given : Object.entries(given);
    await asked([...list, ['ETag', '"v1"']]);
  });
}

test('heuristic freshness has settings, and 0 turns it off', async (t) => {
  const off = await ownLab(t, { settings: { 'cache.heuristic_fraction': '0' } });
  await storing(off).asked({ 'Last-Modified': at(-86400) });
  const capped = await ownLab(t, { settings: { 'cache.heuristic_fraction': '0.5', 'cache.heuristic_max': '300s' } });
  const { ttl } = await storing(capped).stored({ 'Last-Modified': at(-86400) });
  assert.ok(ttl > 240 && ttl <= 300, `ttl is ${ttl}`);
});

test('stale-while-revalidate only where it is asked for: without, the client waits', async () => {
  const path = lab.path();
  const { opened, open } = gate();
  lab.origin.on(path, async (request, reply) => {
    if (!request.has('if-none-match')) return void reply.send(200, { 'Cache-Control': 'max-age=60', Age: '61', ...etag }, 'body');
    await opened;
    return reply.send(304, { 'Cache-Control': 'max-age=60', ...etag });
  });
  await lab.store(path);
  const client = await lab.connect();
  client.request(path);
  await lab.origin.received(path, 2);
  assert.equal(client.in.available, 0, 'nothing before the origin has answered');
  open();
  const response = await client.response();
  expectRevalidated(response);
  expectWhole(response, 200, 'body');
});

for (const forbidding of ['must-revalidate', 'proxy-revalidate', 'no-cache']) {
  test(`stale-while-revalidate beside ${forbidding}: the client waits`, async () => {
    await asked({ 'Cache-Control': `max-age=60, stale-while-revalidate=600, ${forbidding}`, Age: '61', ...etag });
  });
}

const failures = {
  500: (reply) => reply.send(500, {}, 'bad'),
  502: (reply) => reply.send(502, {}, 'bad'),
  503: (reply) => reply.send(503, {}, 'bad'),
  504: (reply) => reply.send(504, {}, 'bad'),
  'cut before the head': (reply) => reply.reset(),
  'no HTTP': (reply) => { reply.write('nonsense\r\n\r\n'); reply.end(); },
};

// A response that is 61 seconds old comes first; then the origin fails, or is gone.
async function failing(own, control, how) {
  const path = own.path();
  own.origin.on(path, (request, reply) => {
    if (own.origin.requestsFor(path).length === 1) reply.send(200, { 'Cache-Control': control, Age: '61', ...etag }, 'good');
    else failures[how](reply);
  });
  await own.store(path);
  return own.get(path);
}

test('the grace after expiry is on by default, whatever way the origin fails', async () => {
  for (const how of Object.keys(failures)) {
    const response = await failing(lab, 'max-age=60', how);
    expectWhole(response, 200, 'good');
    assert.ok(Number(cacheStatus(response).ttl) < 0, `${how}: ${response.head}`);
  }
});

test('the origin\'s own stale-if-error is the grace', async () => {
  for (const how of Object.keys(failures)) {
    expectWhole(await failing(lab, 'max-age=60, stale-if-error=30', how), 200, 'good');
    assert.ok((await failing(lab, 'max-age=60, stale-if-error=0', how)).status >= 500, how);
  }
});

test('an error that is no failure of the origin replaces the stale response: 404, 403, 501', async () => {
  for (const status of [404, 403, 501]) {
    const path = lab.path();
    lab.origin.on(path, (_, reply) => {
      if (lab.origin.requestsFor(path).length === 1) reply.send(200, { 'Cache-Control': 'max-age=60', Age: '61', ...etag }, 'good');
      else reply.send(status, {}, 'gone');
    });
    await lab.store(path);
    expectWhole(await lab.get(path), status, 'gone');
  }
});

for (const control of ['max-age=60, must-revalidate', 'max-age=60, proxy-revalidate', 's-maxage=60', 'max-age=60, no-cache']) {
  test(`never stale against "${control}", whatever way the origin fails`, async () => {
    for (const how of Object.keys(failures)) {
      const response = await failing(lab, `${control}, stale-if-error=600`, how);
      assert.ok(response.status >= 500, `${how}: ${response.head}`);
      assert.notEqual(response.text, 'good', how);
    }
  });
}

test('the origin unreachable: stale within the grace, never against the four directives', async (t) => {
  const own = await ownLab(t);
  const controls = ['', ', must-revalidate', ', proxy-revalidate', ', s-maxage=60', ', no-cache'];
  for (const [i, control] of controls.entries()) {
    own.origin.on(`/${i}`, { fields: { 'Cache-Control': `max-age=60${control}`, Age: '61', ...etag }, body: 'good' });
    await own.store(`/${i}`);
  }
  await own.origin.down();
  expectWhole(await own.get('/0'), 200, 'good');
  for (let i = 1; i < controls.length; ++i) assert.ok([502, 504].includes((await own.get(`/${i}`)).status), controls[i]);
});

test('a fresh response needs no origin, with must-revalidate too', async (t) => {
  const own = await ownLab(t);
  own.origin.on('/', { fields: { 'Cache-Control': 'max-age=60, must-revalidate' }, body: 'good' });
  await own.store('/');
  await own.origin.down();
  const response = await own.get('/');
  expectHit(response);
  expectWhole(response, 200, 'good');
});

test('a refresh that fails costs nothing: the response is there when the origin is back', async () => {
  const path = lab.path();
  let down = false;
  lab.origin.on(path, (request, reply) => {
    if (down) reply.reset();
    else if (request.field('if-none-match') === '"v1"') reply.send(304, { 'Cache-Control': 'max-age=60', ...etag });
    else reply.send(200, { 'Cache-Control': 'max-age=60, must-revalidate', Age: '61', ...etag }, 'good');
  });
  await lab.store(path);
  down = true;
  const during = await lab.get(path);
  assert.ok(during.status >= 500, during.head);
  expectForwarded(during);
  down = false;
  const after = await lab.get(path);
  expectRevalidated(after);
  expectWhole(after, 200, 'good');
});
