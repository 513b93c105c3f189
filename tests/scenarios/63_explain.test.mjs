// `freshet explain`: in each situation it is asked first, then the request is sent, and what happens is what it has said: the status, Cache-Status, the reason
// in the access log, how many requests reach the origin and with which conditions. To be asked changes nothing.
//
// A situation: what the origin answers, the requests that come before (one GET unless it says otherwise), something in between, the request that is asked
// about, and what explain is to call it, with the reason. Stale is what arrives with an Age above its lifetime.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { runToEnd } from '../support/edge.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';
import { cacheStatus } from '../support/message.mjs';
import { scheme } from '../support/protocol.mjs';
import { gate } from '../support/waiting.mjs';

const host = 'explain.example';
const urlOf = (target) => `${scheme}://${host}${target}`;

async function run(lab, command, ...words) {
  const { status, stdout, stderr } = await runToEnd([command, '--cache-dir', lab.edge.cacheDir, ...words]);
  assert.equal(status, 0, stderr);
  return stdout;
}

const words = ({ method = 'GET', fields = {} } = {}) => ['--method', method, ...Object.entries(fields).flatMap(([name, value]) => ['-H', `${name}: ${value}`])];
const explain = async (lab, target, ask) => JSON.parse(await run(lab, 'explain', urlOf(target), '--json', ...words(ask)));
const purge = (...words) => (lab, target) => run(lab, 'purge', ...words.map((word) => word.replace('URL', urlOf(target))));
const statusOf = (text) => cacheStatus({ fields: [['cache-status', text]] });
const atRest = (lab) => lab.edge.metricsWhen((metrics) => metrics.sum('freshet_fills_open') === 0, 'no fill under way');

// A response with a validator is confirmed, unless the situation says what comes instead.
const answering = (response) => (request, reply) => {
  if (typeof response === 'function') return response(request, reply);
  const { status = 200, fields = {}, body = 'content' } = response;
  const tag = fields.ETag;
  const same = (tag && request.field('if-none-match')?.includes(tag)) || (fields['Last-Modified'] && request.field('if-modified-since') === fields['Last-Modified']);
  return same && ['GET', 'HEAD'].includes(request.method) ? reply.send(304, fields) : reply.send(status, fields, body);
};

// Has the situation made, asks, sends, compares. Returns the explanation, and the response.
async function inSituation(lab, situation) {
  const path = lab.path();
  const target = path + (situation.query ?? '');
  lab.origin.on(path, answering(situation.origin ?? { fields: fresh }));
  const asking = { host, ...situation.ask };
  for (const first of situation.before ?? [{}]) await lab.store(path + (first.query ?? ''), { host, ...first });
  await atRest(lab);
  await situation.between?.(lab, path);
  const ask = typeof asking.fields === 'function' ? { ...asking, fields: asking.fields(situation) } : asking;

  const before = lab.origin.requestsFor(path).length;
  const told = await explain(lab, target, ask);
  assert.equal(lab.origin.requestsFor(path).length, before, 'explain has asked the origin');

  const { content, ...request } = ask;
  const response = await lab.get(target, content === undefined ? request : { ...request, body: content });
  const line = await lab.edge.accessLine((each) => each.id === response.field('x-request-id'));
  await agree({ lab, path, told, response, line, before });
  await atRest(lab);
  return { told, response, path };
}

async function agree({ lab, path, told, response, line, before }) {
  const { answer, origin, if_origin_fails: failure } = told;
  const shown = JSON.stringify(told, null, 1) + response.head;
  const said = statusOf(answer.cache_status);
  const got = cacheStatus(response);
  const failed = origin && !origin.background && (got.hit === true || /^origin-/.test(got.detail));
  if (failed) {
    assert.equal(response.status, failure.status, shown);
    if (failure.reason) assert.equal(line.reason, failure.reason, shown);
  } else {
    if (answer.status !== null) assert.equal(response.status, answer.status, shown);
    assert.equal(line.reason, answer.reason, shown);
    for (const name of ['hit', 'fwd', ...(answer.status === null ? [] : ['detail'])]) assert.equal(got[name], said[name], `${name}: ${shown}`);
    if (said.ttl !== undefined) assert.ok(Number(got.ttl) <= Number(said.ttl), shown);
  }
  if (!origin) {
    assert.equal(lab.origin.requestsFor(path).length, before, `the origin was asked: ${shown}`);
    return;
  }
  const requests = await lab.origin.received(path, before + 1);
  if (!failed) assert.equal(requests.length, before + 1, shown);
  const sent = requests[before];
  assert.equal(sent.method, origin.method);
  assert.equal(sent.target, origin.target);
  assert.equal(sent.has('if-none-match') || sent.has('if-modified-since'), origin.conditional, shown);
  for (const name of ['If-None-Match', 'If-Modified-Since']) assert.equal(sent.field(name), origin.conditions?.[name], shown);
  assert.equal(sent.field('range'), origin.range);
}

const date = (seconds) => new Date(Date.now() + 1000 * seconds).toUTCString();
const fresh = { 'Cache-Control': 'max-age=600', ETag: '"v1"' };
const stale = { 'Cache-Control': 'max-age=60', Age: '100', ETag: '"v1"' };
const tagged = (fields) => ({ fields: { 'Surrogate-Key': 'explained', ...fields } });
const first = (response, then) => {
  let answered = 0;
  return (request, reply) => (answered++ === 0 ? answering(response)(request, reply) : then(request, reply));
};
const down = (_, reply) => reply.reset();
const failing = (_, reply) => reply.send(503, { 'Cache-Control': 'no-store' }, 'no');
const uncacheable = (reason, fields, more = {}) => [`not storable: ${reason}`, 'miss uri-miss', { origin: { fields }, last: reason, ...more }];

// name, what and why, and how it comes about.
const situations = [
  // The store and its freshness.
  ['nothing is stored', 'miss uri-miss', { before: [] }],
  ['fresh by max-age', 'hit fresh', { field: 'Cache-Control', source: 'max-age' }],
  ['fresh by s-maxage, whatever max-age says', 'hit fresh', { origin: { fields: { 'Cache-Control': 'max-age=0, s-maxage=600' } }, source: 's-maxage' }],
  ['fresh by a targeted field', 'hit fresh', { origin: { fields: { 'Cache-Control': 'no-store', 'CDN-Cache-Control': 'max-age=600' } }, field: 'CDN-Cache-Control' }],
  ['fresh by Surrogate-Control', 'hit fresh', { origin: { fields: { 'Cache-Control': 'no-store', 'Surrogate-Control': 'max-age=600' } }, field: 'Surrogate-Control' }],
  ['fresh by Expires less Date', 'hit fresh', { origin: () => ({ fields: { Expires: date(600), Date: date(0) } }), field: 'Expires' }],
  ['fresh by heuristic', 'hit fresh-heuristic', { origin: () => ({ fields: { 'Last-Modified': date(-86_400_000 / 1000) } }), field: 'Last-Modified', source: 'heuristic' }],
  ['fresh although it came with an Age', 'hit fresh', { origin: { fields: { 'Cache-Control': 'max-age=600', Age: '100' } } }],
  ['immutable', 'hit fresh', { origin: { fields: { 'Cache-Control': 'max-age=600, immutable' } } }],
  ['stale by Age, with an entity tag', 'revalidate stale', { origin: { fields: stale } }],
  ['stale by Age, with Last-Modified alone', 'revalidate stale', { origin: { fields: { 'Cache-Control': 'max-age=60', Age: '100', 'Last-Modified': 'Mon, 02 Nov 2020 10:00:00 GMT' } } }],
  ['stale, with the edge\'s own tag alone', 'miss stale', { origin: { fields: { 'Cache-Control': 'max-age=60', Age: '100' } } }],
  ['stale by an old Date', 'revalidate stale', { origin: () => ({ fields: { 'Cache-Control': 'max-age=60', Date: date(-100), ETag: '"v1"' } }) }],
  ['stale by Expires', 'revalidate stale', { origin: { fields: { Expires: '0', ETag: '"v1"' } } }],
  ['no lifetime, a validator', 'revalidate no-freshness', { origin: { fields: { ETag: '"v1"' } } }],
  ['no-cache', 'revalidate no-cache', { origin: { fields: { 'Cache-Control': 'no-cache, max-age=600', ETag: '"v1"' } } }],
  ['must-revalidate, stale', 'revalidate must-revalidate', { origin: { fields: { ...stale, 'Cache-Control': 'max-age=60, must-revalidate' } } }],
  ['stale-while-revalidate', 'stale-while-revalidate stale-while-revalidate', { origin: { fields: { ...stale, 'Cache-Control': 'max-age=60, stale-while-revalidate=600' } } }],
  ['a 404 that is stored', 'hit fresh', { origin: { status: 404, fields: fresh } }],
  ['confirmed before', 'hit fresh', { origin: (request, reply) => reply.send(request.has('if-none-match') ? 304 : 200, request.has('if-none-match') ? fresh : stale, 'x'), before: [{}, {}] }],
  ['outdated by an answer to HEAD', 'revalidate outdated', {
    origin: (request, reply) => (request.method === 'HEAD' ? reply.send(200, { ...fresh, ETag: '"v2"' }) : answering({ fields: fresh })(request, reply)),
    before: [{}, { method: 'HEAD', fields: { 'Cache-Control': 'no-cache' } }],
  }],
  // What may not be stored: the last contact says why.
  uncacheable('no-store', { 'Cache-Control': 'no-store' }),
  uncacheable('private', { 'Cache-Control': 'private, max-age=600' }),
  uncacheable('set-cookie', { 'Cache-Control': 'max-age=600', 'Set-Cookie': 'a=b' }),
  uncacheable('vary-star', { 'Cache-Control': 'max-age=600', Vary: '*' }),
  uncacheable('authorization-not-stored', { 'Cache-Control': 'max-age=600' }, { before: [{ fields: { Authorization: 'x' } }], ask: { fields: { Authorization: 'x' } } }),
  ['not storable: status-not-stored', 'miss uri-miss', { origin: { status: 302, fields: { Location: '/x' } }, last: 'status-not-stored' }],
  // The client's directives.
  ['no-cache', 'revalidate client-no-cache', { ask: { fields: { 'Cache-Control': 'no-cache' } } }],
  ['no-cache again, soon', 'hit reload-interval', { before: [{}, { fields: { 'Cache-Control': 'no-cache' } }], ask: { fields: { 'Cache-Control': 'no-cache' } } }],
  ['Pragma', 'revalidate client-pragma', { ask: { fields: { Pragma: 'no-cache' } } }],
  ['max-age=0', 'revalidate client-max-age', { ask: { fields: { 'Cache-Control': 'max-age=0' } } }],
  ['max-age below the age', 'revalidate client-max-age', { origin: { fields: { ...fresh, Age: '10' } }, ask: { fields: { 'Cache-Control': 'max-age=5' } } }],
  ['min-fresh', 'revalidate client-min-fresh', { ask: { fields: { 'Cache-Control': 'min-fresh=9999' } } }],
  ['max-stale', 'stale max-stale', { origin: { fields: stale }, ask: { fields: { 'Cache-Control': 'max-stale' } } }],
  ['max-stale that is too short', 'revalidate stale', { origin: { fields: stale }, ask: { fields: { 'Cache-Control': 'max-stale=5' } } }],
  ['only-if-cached, and nothing is', 'error only-if-cached', { before: [], ask: { fields: { 'Cache-Control': 'only-if-cached' } } }],
  ['only-if-cached, stale', 'error only-if-cached', { origin: { fields: stale }, ask: { fields: { 'Cache-Control': 'only-if-cached' } } }],
  ['only-if-cached, fresh', 'hit fresh', { ask: { fields: { 'Cache-Control': 'only-if-cached' } } }],
  ['a client\'s no-store', 'hit fresh', { ask: { fields: { 'Cache-Control': 'no-store' } } }],
  // Conditions and ranges.
  ['If-None-Match that matches', 'hit fresh', { ask: { fields: { 'If-None-Match': '"v1"' } }, part: 'not-modified' }],
  ['If-None-Match that does not', 'hit fresh', { ask: { fields: { 'If-None-Match': '"v0"' } } }],
  ['If-None-Match on what is stale', 'revalidate stale', { origin: { fields: stale }, ask: { fields: { 'If-None-Match': '"v1"' } } }],
  ['If-Modified-Since', 'hit fresh', { origin: { fields: { ...fresh, 'Last-Modified': 'Mon, 02 Nov 2020 10:00:00 GMT' } }, ask: { fields: { 'If-Modified-Since': 'Tue, 03 Nov 2020 10:00:00 GMT' } }, part: 'not-modified' }],
  ['a range', 'hit fresh', { ask: { fields: { Range: 'bytes=1-3' } }, part: 'part' }],
  ['several ranges', 'hit fresh', { origin: { fields: fresh, body: 'x'.repeat(5000) }, ask: { fields: { Range: 'bytes=0-1,4000-4001' } }, part: 'part' }],
  ['a range beyond the end', 'hit fresh', { ask: { fields: { Range: 'bytes=99-' } }, part: 'range-not-satisfiable' }],
  ['If-Range that does not match', 'hit fresh', { ask: { fields: { Range: 'bytes=1-3', 'If-Range': '"v0"' } } }],
  ['a range far into what is not stored', 'miss far-range', { before: [], ask: { fields: { Range: 'bytes=5000000-5000001' } } }],
  ['If-Match', 'pass if-match', { ask: { fields: { 'If-Match': '"v1"' } } }],
  ['If-Match with a tag of the edge\'s own', 'error own-entity-tag', { ask: { fields: { 'If-Match': `"fr1-${'0'.repeat(32)}"` } } }],
  // Methods.
  ['HEAD', 'hit fresh', { ask: { method: 'HEAD' } }],
  ['HEAD on what is stale', 'revalidate stale', { origin: { fields: stale }, ask: { method: 'HEAD' } }],
  ['DELETE', 'pass method', { ask: { method: 'DELETE' } }],
  ['a method that nobody knows', 'pass method', { ask: { method: 'BREW' } }],
  ['TRACE with Max-Forwards: 0', 'error method', { ask: { method: 'TRACE', fields: { 'Max-Forwards': '0' } } }],
  // Variants and credentials.
  ['the variant that is stored', 'hit fresh', { origin: { fields: { ...fresh, Vary: 'Accept-Language' } }, before: [{ fields: { 'Accept-Language': 'fr' } }], ask: { fields: { 'Accept-Language': 'FR' } } }],
  ['another variant, with a tag to offer', 'revalidate vary-miss', { origin: { fields: { ...fresh, Vary: 'X-Kind' } }, before: [{ fields: { 'X-Kind': 'a' } }], ask: { fields: { 'X-Kind': 'b' } } }],
  ['another variant', 'miss vary-miss', { origin: { fields: { 'Cache-Control': 'max-age=600', Vary: 'X-Kind' } }, before: [{ fields: { 'X-Kind': 'a' } }], ask: { fields: { 'X-Kind': 'b' } } }],
  ['Authorization on what was stored without', 'revalidate credentials', { ask: { fields: { Authorization: 'x' } } }],
  ['Authorization on what is public', 'hit fresh', { origin: { fields: { ...fresh, 'Cache-Control': 'public, max-age=600' } }, ask: { fields: { Authorization: 'x' } } }],
  ['a cookie on what is fresh by heuristic', 'revalidate credentials', { origin: () => ({ fields: { 'Last-Modified': date(-86_400), ETag: '"v1"' } }), ask: { fields: { Cookie: 'a=b' } } }],
  // The key.
  ['a parameter that is ignored', 'hit fresh', { query: '?utm_source=x', ignored: ['utm_source=x'] }],
  ['a parameter that is not', 'miss uri-miss', { query: '?page=2' }],
  // Purges.
  ['purged: its URL', 'miss uri-miss', { between: purge('URL'), purged: 'hard url' }],
  ['purged: a prefix', 'miss uri-miss', { between: purge('--prefix', urlOf('/')), purged: 'hard prefix' }],
  ['purged: its host', 'miss uri-miss', { between: purge('--host', host), purged: 'hard host' }],
  ['purged: a tag', 'miss uri-miss', { origin: tagged(fresh), between: purge('--tag', 'explained') }],
  ['purged: everything', 'miss uri-miss', { between: purge('--all'), purged: 'hard all' }],
  ['softly purged: its URL', 'revalidate invalidated', { between: purge('--soft', 'URL'), purged: 'soft url' }],
  ['softly purged: a prefix', 'revalidate invalidated', { between: purge('--soft', '--prefix', urlOf('/')), purged: 'soft prefix' }],
  ['softly purged: its host', 'revalidate invalidated', { between: purge('--soft', '--host', host), purged: 'soft host' }],
  ['softly purged: a tag', 'revalidate invalidated', { origin: tagged(fresh), between: purge('--soft', '--tag', 'explained') }],
  ['softly purged: everything', 'revalidate invalidated', { between: purge('--soft', '--all'), purged: 'soft all' }],
  ['softly purged, with stale-while-revalidate', 'stale-while-revalidate stale-while-revalidate', {
    origin: { fields: { ...fresh, 'Cache-Control': 'max-age=600, stale-while-revalidate=600' } }, between: purge('--soft', 'URL'),
  }],
  // The origin fails.
  ['stale-if-error, and the origin is down', 'revalidate stale', { origin: () => first({ fields: { ...stale, 'Cache-Control': 'max-age=60, stale-if-error=600' } }, down), fails: 'stale-if-error' }],
  ['within the grace, and the origin answers 503', 'revalidate stale', { origin: () => first({ fields: stale }, failing), fails: 'stale-on-error' }],
  ['must-revalidate, and the origin is down', 'revalidate must-revalidate', { origin: () => first({ fields: { ...stale, 'Cache-Control': 'max-age=60, must-revalidate' } }, down), fails: 504 }],
  ['nothing is stored, and the origin is down', 'miss uri-miss', { origin: down, before: [], fails: 502 }],
];

describe('what explain says is what then happens', () => {
  const lab = sharedLab({ settings: { 'cache.ignore_query': 'utm_*', 'cache.reload_interval': '1h', 'log.request_id': 'true' } });

  for (const [name, expected, situation] of situations) {
    test(`${name}: ${expected}`, async () => {
      const origin = typeof situation.origin === 'function' && situation.origin.length === 0 ? situation.origin() : situation.origin;
      const { told, response } = await inSituation(lab, { ...situation, origin });
      const shown = JSON.stringify(told, null, 1);
      assert.equal(`${told.answer.what} ${told.answer.reason}`, expected, shown);
      assert.ok(told.answer.sentence.endsWith('.'));
      const selected = told.stored.find((each) => each.selected);
      if (situation.field) assert.equal(selected.freshness.field, situation.field);
      if (situation.source) assert.equal(selected.freshness.source, situation.source);
      assert.equal(told.answer.part?.reason, situation.part);
      assert.deepEqual(told.key.ignored_query, situation.ignored);
      if (situation.last) {
        assert.equal(told.contacts[0].reason, situation.last);
        assert.equal(cacheStatus(response).detail, situation.last);
      }
      if (situation.purged) {
        const [strength, scope] = situation.purged.split(' ');
        assert.ok(told.purges.some((each) => each.strength === strength && each.scope === scope), shown);
      }
      if (situation.fails) assert.equal(told.if_origin_fails.reason ?? told.if_origin_fails.status, situation.fails);
    });
  }

  test('with an entity tag of the edge\'s own the client is told 304, the origin never hears of it', async () => {
    const path = lab.path();
    lab.origin.on(path, { fields: { 'Cache-Control': 'max-age=600' }, body: 'content' });
    const tag = (await lab.store(path, { host })).field('etag');
    await atRest(lab);
    const told = await explain(lab, path, { fields: { 'If-None-Match': tag } });
    assert.equal(told.answer.status, 304);
    assert.deepEqual(told.stored[0].validators, { etag: tag, etag_is_ours: true });
    assert.equal((await lab.get(path, { host, fields: { 'If-None-Match': tag } })).status, 304);
  });

  test('while a request is under way the next one is said to wait for its answer', async () => {
    const path = lab.path();
    const { opened, open } = gate();
    lab.origin.on(path, async (_, reply) => {
      await opened;
      reply.send(200, fresh, 'content');
    });
    const client = await lab.connect();
    client.request(path, { host });
    await lab.origin.received(path);
    assert.equal((await explain(lab, path)).origin.joins, true);
    open();
    await client.response();
  });
});

test('on disk alone after a restart: a hit, and where it is', async (t) => {
  const lab = await ownLab(t);
  const path = lab.path();
  lab.origin.on(path, { fields: fresh, body: 'content' });
  await lab.store(path, { host });
  await lab.edge.stopForRestart();
  await lab.edge.spawn();
  for (let i = 0; i < 2; ++i) {
    const told = await explain(lab, path);
    assert.equal(told.answer.what, 'hit');
    assert.deepEqual([told.stored[0].in_memory, told.stored[0].on_disk], [false, true], 'explain brings nothing into memory');
  }
  assert.equal(cacheStatus(await lab.get(path, { host })).hit, true);
  assert.equal((await explain(lab, path)).stored[0].in_memory, true);
});

test('fields and cookies in the key are told, with their values', async (t) => {
  const lab = await ownLab(t, { settings: { 'cache.key_fields': 'X-Device', 'cache.key_cookies': 'plan' } });
  const told = await explain(lab, '/a', { fields: { Cookie: 'plan=gold; other=1' } });
  assert.deepEqual(told.key.adds, [{ what: 'field', name: 'X-Device', value: null }, { what: 'cookie', name: 'plan', value: 'gold' }]);
  assert.equal(told.key.uri, urlOf('/a'));
});

test('to be asked changes nothing: not one counter, and no flight, promotion or forced validation', async (t) => {
  const lab = await ownLab(t);
  lab.origin.on('/a', { fields: fresh, body: 'content' });
  await lab.store('/a', { host });
  await atRest(lab);
  await lab.edge.metricsWhen((metrics) => metrics.sum('freshet_disk_writes_total') === 1 && metrics.sum('freshet_disk_write_backlog_bytes') === 0
    && metrics.sum('freshet_access_log_lines_total') === 1);
  const changing = /^freshet_(?!up|process|longest_turn|uptime|worker_|start)/;
  const counted = async () => (await lab.edge.metrics()).samples.filter(({ name }) => changing.test(name)).map(({ name, labels, value }) => `${name} ${JSON.stringify(labels)} ${value}`);
  const before = await counted();
  for (const fields of [{}, { 'Cache-Control': 'no-cache' }, { 'X-Other': 'x' }]) {
    for (const path of ['/a', '/missing']) await explain(lab, path, { fields });
  }
  assert.deepEqual(await counted(), before);
  assert.equal(lab.origin.requests.length, 1);
  // Had explain been taken for a client that forces a validation, this one would be answered from the store.
  assert.equal(cacheStatus(await lab.get('/a', { host, fields: { 'Cache-Control': 'no-cache' } })).fwd, 'request');
});

test('the page says first what would happen, then why, and what it was decided by', async (t) => {
  const lab = await ownLab(t);
  lab.origin.on('/a', { fields: { ...stale, 'Surrogate-Key': 'news' }, body: 'content' });
  await lab.store('/a', { host });
  await atRest(lab);
  const page = await run(lab, 'explain', urlOf('/a'), '-H', 'Accept: text/html');
  for (const expected of [
    /^GET https?:\/\/explain\.example\/a\n {2}Accept: text\/html\n\nREVALIDATE: /,
    /\n {2}why +The stored response is stale\. \(stale; RFC 9111, 4\.2\)\n/,
    /\n {2}asks +GET \/a, with conditions\n +If-None-Match: "v1"\n/,
    /\n {2}if it fails 200 from the store: /,
    /\nkey +https?:\/\/explain\.example\/a\n/,
    /\nstored +200, 7 B, in memory/,
    /\n {2}freshness_lifetime +60 s {2}max-age in Cache-Control\n/,
    /\n {2}corrected_age_value +100\S* s {2}age_value 100 s \+ response_delay /,
    /\n {2}stale for +4\d\S* s {2}freshness_lifetime 60 s less current_age /,
    /\n {2}tags +news\n/,
    /\norigin +asked last\n.* GET: 200 in \d+ ms\. /,
  ]) assert.match(page, expected);
});

test('what cannot be asked about is refused with the reason', async (t) => {
  const lab = await ownLab(t);
  for (const [args, reason] of [
    [['example.com/a'], /has no scheme/],
    [[urlOf('/a'), '-H', 'no colon'], /is not "Name: value"/],
    [[urlOf('/a'), '--method', 'PURGE'], /it acts at once/],
    [[urlOf('/a'), '-H', 'Content-Length: 5'], /always passed on/],
    [[], /URL/],
  ]) {
    const { status, stderr } = await runToEnd(['explain', '--cache-dir', lab.edge.cacheDir, ...args]);
    assert.equal(status, 2);
    assert.match(stderr, reason);
  }
});
