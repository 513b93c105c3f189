// Headless Chromium speaks HTTP/2 over TLS with the edge: a page loads, and its reload is answered with 304.
//
// $CHROMIUM names the browser (/usr/bin/chromium).

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { Certificates } from '../support/certificates.mjs';
import { Demo } from '../support/demo.mjs';
import { Edge } from '../support/edge.mjs';
import { deadlineMs } from '../support/waiting.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

// By its key alone: of a server whose certificate was wrong, Chromium keeps nothing, and would have no condition to ask with.
function trusting(certificate) {
  const key = new crypto.X509Certificate(fs.readFileSync(certificate)).publicKey.export({ type: 'spki', format: 'der' });
  return `--ignore-certificate-errors-spki-list=${crypto.createHash('sha256').update(key).digest('base64')}`;
}

let made;
let demo;
let edge;
let browser;
before(async () => {
  made = new Certificates();
  const { cert, key } = made.issue('a');
  demo = await Demo.start();
  edge = await Edge.start({ origin: demo.url, workers: 1, flags: ['--tls-listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', key] });
  browser = await chromium.launch({ executablePath, args: [...flags, trusting(cert)], timeout: deadlineMs });
});
after(async () => {
  await browser?.close();
  await edge?.stop();
  await demo?.stop();
  made?.remove();
});

test('a page, its stylesheet and its image come over HTTP/2; a reload is a 304', async () => {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(deadlineMs);
  const url = `https://127.0.0.1:${edge.tlsPort}/`;
  const response = await page.goto(url, { waitUntil: 'load' });
  assert.equal(response.status(), 200);
  assert.ok(await page.locator('img').first().evaluate((element) => element.complete && element.naturalWidth > 0), 'the image has loaded');
  const protocols = await page.evaluate(() => performance.getEntries().filter((each) => each.nextHopProtocol).map((each) => each.nextHopProtocol));
  assert.ok(protocols.length >= 3 && protocols.every((each) => each === 'h2'), String(protocols));
  assert.ok(edge.access.every((line) => line.protocol === 'HTTP/2.0'));
  await page.reload({ waitUntil: 'load' });
  const record = await edge.accessLine((line) => line.target === `127.0.0.1:${edge.tlsPort}/` && line.status === 304);
  assert.equal(record.protocol, 'HTTP/2.0');
});
