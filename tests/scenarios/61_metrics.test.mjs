// What /metrics says, and that what is shipped to read it (the dashboard, Prometheus' files) asks for what is there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { root } from '../support/edge.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';

const lab = sharedLab({ workers: 2 });
const fresh = { 'Cache-Control': 'max-age=60' };
const shipped = (name) => fs.readFileSync(path.join(root, 'deploy', name), 'utf8');

// Names of metrics in an expression of PromQL.
const namesIn = (expression) => [...expression.replace(/"[^"]*"/g, '').matchAll(/\b(freshet|process)_\w+/g)].map((match) => match[0]);

async function expectAllThere(expressions) {
  const metrics = await lab.edge.metrics();
  const names = new Set(expressions.flatMap(namesIn));
  assert.ok(names.size > 0);
  for (const name of names) assert.ok(metrics.has(name), `${name} is not in /metrics`);
  for (const expression of expressions) {
    for (const [, name, labels] of expression.matchAll(/\b(freshet_\w+)\{([^}]*)\}/g)) {
      for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
        assert.ok(metrics.samples.some((sample) => sample.name === name && sample.labels[label] === value), `${name} has no ${label}="${value}"`);
      }
    }
    for (const [, labels] of expression.matchAll(/\bby \(([^)]*)\)/g)) {
      const known = new Set(['instance', ...metrics.samples.flatMap((sample) => Object.keys(sample.labels))]);
      for (const label of labels.split(',')) assert.ok(known.has(label.trim()), `no metric has the label ${label}`);
    }
  }
}

test('the dashboard asks for metrics, labels and values that exist', async () => {
  const { panels, templating } = JSON.parse(shipped('grafana/freshet.json'));
  const expressions = panels.flatMap((panel) => panel.targets ?? []).map((target) => target.expr);
  assert.ok(expressions.length > 40);
  await expectAllThere([...expressions, ...templating.list.filter((one) => one.type === 'query').map((one) => one.query.query)]);
  assert.equal(new Set(panels.map((panel) => panel.id)).size, panels.length);
  for (const panel of panels) assert.ok(panel.gridPos.x + panel.gridPos.w <= 24, panel.title);
});

test('the alerts ask for metrics that exist, and name chapters of the runbook', async () => {
  const text = shipped('prometheus_rules.yml');
  await expectAllThere([...text.matchAll(/expr: (?:\|\n((?: {10}.*\n)+)|(.+))/g)].map((match) => match[1] ?? match[2]));
  const runbook = shipped('RUNBOOK.md');
  for (const [, chapter] of text.matchAll(/runbook: "(.+)"/g)) assert.ok(runbook.includes(`\n## ${chapter}\n`), chapter);
});

test('the runbook names metrics that exist', async () => {
  const metrics = await lab.edge.metrics();
  for (const name of new Set(namesIn(shipped('RUNBOOK.md')))) assert.ok(metrics.has(name), `${name} is not in /metrics`);
});

test('histograms by outcome, of the origin and of bodies, over all workers', async (t) => {
  const own = await ownLab(t, { workers: 2 });
  own.origin.on('/', { fields: fresh, body: 'x'.repeat(600) });
  await own.store('/');
  for (let i = 0; i < 5; ++i) await own.get('/');
  own.origin.on('/gone', (_, reply) => reply.reset());
  assert.equal((await own.get('/gone')).status, 502);
  const metrics = await own.edge.metricsWhen((m) => m.sum('freshet_requests_total') >= 7, '7 requests counted');
  for (const family of ['request_duration_seconds', 'first_byte_seconds']) {
    for (const [outcome, count] of [['hit', 5], ['miss', 1], ['error', 1], ['pass', 0]]) {
      assert.equal(metrics.sum(`freshet_${family}_count`, { outcome }), count, `${family} ${outcome}`);
      assert.equal(metrics.sum(`freshet_${family}_bucket`, { outcome, le: '+Inf' }), count);
    }
    assert.ok(metrics.sum(`freshet_${family}_sum`, { outcome: 'miss' }) > 0);
  }
  assert.ok(metrics.sum('freshet_origin_first_byte_seconds_count') >= 1);
  assert.equal(metrics.sum('freshet_responses_total', { class: '2xx' }), 6);
  assert.equal(metrics.sum('freshet_responses_total', { class: '5xx' }), 1);
  assert.equal(metrics.sum('freshet_response_body_bytes_bucket', { le: '1024' }) - metrics.sum('freshet_response_body_bytes_bucket', { le: '512' }), 6);
});

const promtool = spawnSync('promtool', ['--version']).status === 0;

test('promtool finds nothing wrong', { skip: !promtool && 'promtool is not installed; the unit tests hold to its rules' }, async () => {
  const { text } = await lab.edge.admin('/metrics');
  const metrics = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.equal(metrics.status, 0, metrics.stdout + metrics.stderr);
  assert.equal(metrics.stdout + metrics.stderr, '');
  const config = spawnSync('promtool', ['check', 'config', path.join(root, 'deploy/prometheus.yml')], { encoding: 'utf8' });
  assert.equal(config.status, 0, config.stdout + config.stderr);
});
