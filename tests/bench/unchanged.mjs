// An origin that gives no validator at all: a response that expires again and again and has not changed. Clients are to get 304, and the store is to write
// none of its body again; one byte changed at the origin is to show at once.

import { Edge } from '../support/edge.mjs';
import { Origin } from '../support/origin.mjs';

const path = '/no-validator';
const ownTag = /^"fr1-/;

// Resolves with what happened: {tag, notModified, written: body bytes after the first, heads, newTag, mistakes: [text]}.
export async function expireAgain({ times, bytes }) {
  const origin = await Origin.start();
  const body = Buffer.alloc(bytes, 'unchanged ');
  // Stale on arrival: each use is an expiry.
  const fields = { 'Cache-Control': 'max-age=60', Age: '100', 'Content-Type': 'text/plain' };
  origin.on(path, (_, reply) => reply.send(200, fields, body));
  const edge = await Edge.start({ origin: origin.url, accessLog: 'off', settings: { 'cache.loss_bound': '100ms' } });
  const mistakes = [];
  const expect = (holds, text) => { if (!holds) mistakes.push(text); };
  try {
    // A long body streams to the first client before its tag is known; whoever takes a stale response sees the tag.
    const ask = { fields: { 'Cache-Control': 'max-stale' } };
    await edge.get(path);
    const tag = (await edge.get(path, ask)).field('etag');
    expect(ownTag.test(tag ?? ''), `the entity tag is ${tag}`);
    // Settled: the first body is on disk.
    const before = await edge.metricsWhen((m) => m.sum('freshet_disk_write_bytes_total') >= bytes && m.sum('freshet_disk_write_backlog_bytes') === 0);
    let notModified = 0;
    for (let i = 0; i < times; ++i) {
      const response = await edge.get(path, { fields: { 'If-None-Match': tag ?? '"none"' } });
      if (response.status === 304 && response.field('etag') === tag) ++notModified;
    }
    expect(notModified === times, `${notModified} of ${times} were answered 304 with that tag`);
    expect(origin.requestsFor(path).length === times + 1, `the origin was asked ${origin.requestsFor(path).length} times, not ${times + 1}`);
    expect(!origin.requestsFor(path).some((one) => one.has('if-none-match') || one.has('if-modified-since')), 'the origin saw a condition');
    const after = await edge.metricsWhen((m) => m.sum('freshet_disk_write_backlog_bytes') === 0);
    const grown = (name) => after.sum(name) - before.sum(name);
    const written = grown('freshet_disk_write_bytes_total');
    expect(written === 0, `${written} body bytes were written`);
    expect(grown('freshet_content_equal_total') === times, `the content was found equal ${grown('freshet_content_equal_total')} times`);

    body[bytes - 1] ^= 1;
    const changed = await edge.get(path, { fields: { 'If-None-Match': tag ?? '"none"' } });
    expect(changed.status === 200 && changed.complete && changed.body.equals(body), `one byte changed: ${changed.status}, ${changed.body.length} bytes`);
    const next = await edge.get(path, ask);
    const newTag = next.field('etag');
    expect(next.body.equals(body) && ownTag.test(newTag ?? '') && newTag !== tag, `the tag after the change is ${newTag}`);
    return { times, bytes, tag, notModified, written, heads: grown('freshet_disk_head_rewrites_total'), newTag, mistakes };
  } finally {
    await edge.stop();
    await origin.stop();
  }
}

export async function unchanged({ rounds = 100 }) {
  let ok = true;
  const figures = [];
  for (const bytes of [1024, 1024 * 1024]) {
    const result = await expireAgain({ times: rounds, bytes });
    figures.push(result);
    ok &&= result.mistakes.length === 0;
    console.log(`\n${bytes} bytes without ETag and Last-Modified, ${rounds} expiries: ${result.notModified} answers 304, ${result.written} body bytes written, `
      + `${result.heads} heads; one byte changed: ${result.tag} -> ${result.newTag}: ${result.mistakes.length === 0 ? 'ok' : `FAILED: ${result.mistakes.join('; ')}`}`);
  }
  return { figures, ok };
}
