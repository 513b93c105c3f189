// Headless Chromium loads a page through the edge and reloads it: the browser's own conditional requests get their 304 from the edge, and the page looks right.
//
// $CHROMIUM names the browser (/usr/bin/chromium); screenshots stay in build/screenshots/.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';

import { chromium } from 'playwright-core';

import { Demo } from '../support/demo.mjs';
import { Edge, root } from '../support/edge.mjs';
import { deadlineMs } from '../support/waiting.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const screenshots = path.join(root, 'build/screenshots');

let demo;
let edge;
let browser;
let page;

before(async () => {
  fs.mkdirSync(screenshots, { recursive: true });
  demo = await Demo.start();
  // One worker: each worker's lines of the access log come in its own order.
  edge = await Edge.start({ origin: demo.url, workers: 1 });
  browser = await chromium.launch({ executablePath, args: flags, timeout: deadlineMs });
});
after(async () => {
  await browser?.close();
  await edge?.stop();
  await demo?.stop();
});
beforeEach(async (t) => {
  page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(deadlineMs);
});

const recordOf = (pathname, n) => edge.accessLine((line) => line.target === `${edge.authority}${pathname}`, n);

async function expectPageLooksRight() {
  assert.ok(await page.locator('h1').isVisible());
  assert.ok(await page.locator('table').isVisible());
  const image = page.locator('img').first();
  assert.ok(await image.isVisible());
  assert.ok(await image.evaluate((element) => element.complete && element.naturalWidth > 0), 'the image has loaded');
  const rules = await page.evaluate(() => Array.from(document.styleSheets, (sheet) => sheet.cssRules.length));
  assert.ok(rules.some((n) => n > 0), 'the stylesheet applies');
}

test('a page with its stylesheet and image loads through the edge and looks right', async () => {
  const response = await page.goto(`${edge.url}/`, { waitUntil: 'load' });
  assert.equal(response.status(), 200);
  assert.match(response.headers()['cache-status'], /^freshet/);
  await expectPageLooksRight();
  await page.screenshot({ path: path.join(screenshots, 'page.png') });
});

test('a reload: the browser\'s own conditional request gets a 304 from the edge, and the page looks right', async () => {
  await page.goto(`${edge.url}/`, { waitUntil: 'load' });
  const before = edge.access.length;
  await page.reload({ waitUntil: 'load' });
  const record = await edge.accessLine((line) => edge.access.indexOf(line) >= before && line.target === `${edge.authority}/` && line.status === 304);
  assert.equal(record.method, 'GET');
  assert.equal(record.bytes, 0);
  assert.ok(record.saved_bytes > 0);
  await expectPageLooksRight();
  await page.screenshot({ path: path.join(screenshots, 'page-reloaded.png') });
});

test('a no-cache page: navigation sends the browser\'s ETag, the edge revalidates at the origin and answers 304', async () => {
  await page.goto(`${edge.url}/news`, { waitUntil: 'load' });
  await demo.forget();
  await page.goto(`${edge.url}/news`, { waitUntil: 'load' });
  assert.match(await page.textContent('p'), /validated for each use/);
  const record = await recordOf('/news', 2);
  assert.equal(record.status, 304);
  assert.equal(record.origin_status, 304);
  assert.deepEqual(await demo.seen(), { 'GET /news': { 304: 1 } });
});

test('a redirect is followed by the browser, each hop through the edge', async () => {
  await page.goto(`${edge.url}/redirect/302`, { waitUntil: 'load' });
  assert.equal(page.url(), `${edge.url}/page`);
  assert.match(await page.textContent('p'), /Fresh for an hour/);
});

test('fetch from the page: a POST changes what the next GET shows', async () => {
  await page.goto(`${edge.url}/page`, { waitUntil: 'load' });
  const [first, posted, second] = await page.evaluate(async () => {
    const get = async () => (await (await fetch('/counter', { cache: 'no-store' })).json()).count;
    const a = await get();
    const b = (await (await fetch('/counter', { method: 'POST' })).json()).count;
    return [a, b, await get()];
  });
  assert.equal(posted, first + 1);
  assert.equal(second, first + 1);
});
