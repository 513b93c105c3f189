// The disk tier within its limit: 20 GiB of a mix of sizes written through a limit of 1 GiB. How far the directory goes beyond it, what is written per byte of
// body, how much memory the edge needs. Then 2,000 clients that begin to read hits from disk and stop.

import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

import { Edge, sanitized } from '../support/edge.mjs';
import { pinned, wrkUntil } from './load.mjs';
import { sizedOrigin } from './sized_origin.mjs';
import { table, whole } from './statistics.mjs';

const mib = 1024 * 1024;
const sizes = { 1024: 40, 8192: 30, 65536: 20, 524288: 8, 4194304: 2 };
const stalledSize = mib;

// What `du` says: blocks, not lengths. A file may go while it is looked at.
export function diskUse(directory) {
  let bytes = 0;
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    try {
      bytes += fs.statSync(path.join(entry.parentPath ?? entry.path, entry.name)).blocks * 512;
    } catch { /* gone */ }
  }
  return bytes;
}

async function writeThrough(edge, origin, bytes) {
  const most = { disk: 0, resident: 0 };
  const samples = [];
  const mix = Object.entries(sizes).map(([size, weight]) => `${weight}:/${size}?%d`).join(',');
  const done = async () => {
    most.disk = Math.max(most.disk, diskUse(edge.cacheDir));
    samples.push(edge.memory().now);
    return (await edge.metrics()).sum('freshet_origin_body_bytes_total') >= bytes;
  };
  await wrkUntil(edge.url, { connections: 16, urls: ['mix', mix, 0] }, done, 100);
  const half = samples.slice(samples.length >> 1);
  return { ...most, resident: edge.memory().highest, flat: Math.max(...half) / Math.min(...half) };
}

// Clients that ask for a response from disk, take its first bytes and read no more.
async function stallReaders(edge, count) {
  const before = edge.memory().now;
  const sockets = [];
  const began = [];
  for (let i = 0; i < count; ++i) {
    const socket = net.connect({ port: edge.port, host: '127.0.0.1' });
    sockets.push(socket);
    began.push(new Promise((resolve) => {
      socket.once('error', resolve);
      socket.once('readable', () => resolve(socket.read(1)));
    }));
    socket.write(`GET /${stalledSize}?stalled-${i % 200} HTTP/1.1\r\nHost: ${edge.authority}\r\n\r\n`);
  }
  await Promise.all(began);
  // What it holds after a reader without progress has let go.
  let now = 0;
  for (let i = 0; i < 30; ++i) {
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    now = edge.memory().now;
  }
  for (const socket of sockets) socket.destroy();
  return { before, now, highest: edge.memory().highest };
}

export async function diskBudget({ size = 1024, through = 20, clients = 2000 }) {
  const limit = size * mib;
  const origin = await sizedOrigin([...Object.keys(sizes).map(Number), stalledSize]);
  const edge = await Edge.start({ origin: origin.url, workers: 1, wrap: pinned(0), accessLog: 'off', settings: { 'cache.memory': '32M', 'cache.disk': String(limit), 'server.send_timeout': '60s' } });
  try {
    const written = await writeThrough(edge, origin, through * limit);
    const metrics = await edge.metrics();
    const sum = (name) => metrics.sum(`freshet_${name}`);
    const amplification = sum('disk_file_bytes_total') / sum('disk_write_bytes_total');
    const refused = sum('disk_writes_refused_total');
    const put = sum('disk_writes_total');
    await Promise.all(Array.from({ length: 200 }, (_, i) => edge.get(`/${stalledSize}?stalled-${i}`)));
    const stalled = await stallReaders(edge, clients);
    return report({ limit, through, written, amplification, refused, put, stalled, clients });
  } finally {
    await edge.stop();
    await origin.stop();
  }
}

function report({ limit, through, written, amplification, refused, put, stalled, clients }) {
  const over = written.disk / limit - 1;
  const grown = stalled.highest - written.resident;
  console.log(`\nlimit ${whole(limit / mib)} MiB, ${through} times as much from the origin, sizes 1 KiB to 4 MiB`);
  console.log(table([
    ['', 'figure'],
    ['most on disk, MiB', whole(written.disk / mib)],
    ['beyond the limit', `${(over * 100).toFixed(1)} %`],
    ['bytes in files per byte of body (the log comes on top)', amplification.toFixed(2)],
    ['responses written', whole(put)],
    ['responses not written, no room to wait', whole(refused)],
    ['resident at most, MiB', whole(written.resident / mib)],
    ['resident in the second half, most / least', written.flat.toFixed(2)],
    [`with ${whole(clients)} stalled readers of 1 MiB: resident, MiB`, whole(stalled.now / mib)],
    ['the most it was then, more than before, MiB', whole(Math.max(0, grown) / mib)],
  ]));
  const ok = over <= 0.1 && (sanitized() || grown < 256 * mib);
  console.log(ok ? 'ok' : 'FAILED: want at most 10 % over the limit, and the stalled readers within 256 MiB');
  return { limit, written, amplification, refused, put, stalled, ok };
}
