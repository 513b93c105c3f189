// A large file on nginx behind the edge, read in random ranges by curl while the file changes: each answer is to be bytes of one version, and the edge's
// memory is to stay within its budget.

import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

import { Edge, sanitized, temporaryDirectory } from '../support/edge.mjs';
import { Nginx } from '../support/nginx.mjs';

const mib = 1024 * 1024;
const name = 'large.bin';

// Word i of a version. Multiplied by an odd number, so that no stretch of a version is found in it again, nor in the other one at the same place.
const factors = [0, 2654435761, 2246822519];
function pattern(version, first, size) {
  const from = first >>> 2;
  const words = new Uint32Array(((first + size + 3) >>> 2) - from);
  for (let i = 0; i < words.length; ++i) words[i] = Math.imul(from + i + version, factors[version]);
  return Buffer.from(words.buffer).subarray(first & 3, (first & 3) + size);
}

function writeVersion(file, version, size) {
  const out = fs.openSync(file, 'w', 0o644);
  for (let at = 0; at < size; at += 8 * mib) fs.writeSync(out, pattern(version, at, Math.min(8 * mib, size - at)));
  fs.closeSync(out);
  const day = new Date(Date.UTC(2024, 0, version));
  fs.utimesSync(file, day, day);
}

// The same ranges in each run.
function* randomRanges(size) {
  let state = 12345;
  const random = (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (;;) {
    const first = random(size);
    yield [first, Math.min(size - 1, first + random(random(4) === 0 ? size / 16 : size / 1024))];
  }
}

function curl(args) {
  return new Promise((resolve) => {
    execFile('curl', ['-sS', '-w', '%{http_code}', ...args], (error, stdout, stderr) => resolve({ code: error?.code ?? 0, status: Number(stdout), stderr }));
  });
}

// Which version these bytes are: 1, 2, or 0 for neither.
const versionOf = (bytes, first) => [1, 2].find((version) => bytes.equals(pattern(version, first, bytes.length))) ?? 0;

// `control` is the origin's Cache-Control: with no-cache the new version is to be seen at once, with a lifetime what is stored may serve on.
export async function readRanges({ size, ranges, control, settings = {}, parallel = 4, slowReader = true }) {
  const nginx = await Nginx.start({ server: (n) => `root ${n.prefix}/www; etag on; add_header Cache-Control "${control}";` });
  const folder = temporaryDirectory('freshet-slices-');
  const result = { size, ranges, control, versions: [0, 0, 0], mistakes: [] };
  let edge;
  let slow;
  try {
    const file = path.join(nginx.prefix, 'www', name);
    writeVersion(file, 1, size);
    writeVersion(`${file}.next`, 2, size);
    edge = await Edge.start({ origin: nginx.url, accessLog: 'off', settings: { 'cache.memory': '256M', ...settings } });
    const url = `${edge.url}/${name}`;
    const before = edge.memory();
    // Begun on the first version, still reading when the file changes: it may be whole, or visibly cut, but not mixed.
    const slowFile = path.join(folder, 'slow');
    if (slowReader) slow = spawn('curl', ['-sS', '--limit-rate', String(Math.floor(size / 10)), '-o', slowFile, url], { stdio: 'ignore' });
    const slowEnded = new Promise((resolve) => { slow?.once('close', resolve); });

    const next = randomRanges(size);
    let begun = 0;
    let changed = false;
    const reader = async (number) => {
      while (begun < ranges) {
        if (++begun > ranges / 2 && !changed) {
          changed = true;
          fs.renameSync(`${file}.next`, file);
        }
        const afterChange = changed;
        const [first, last] = next.next().value;
        const out = path.join(folder, String(number));
        const { code, status, stderr } = await curl(['-r', `${first}-${last}`, '-o', out, url]);
        const bytes = fs.existsSync(out) ? fs.readFileSync(out) : Buffer.alloc(0);
        fs.rmSync(out, { force: true });
        // What was cut because the file changed says so: the client asks again.
        if (code === 18 && versionOf(bytes, first) > 0) { result.cut = (result.cut ?? 0) + 1; continue; }
        const version = versionOf(bytes, first);
        ++result.versions[version];
        const old = control === 'no-cache' && version === 1 && afterChange;
        if (code !== 0 || status !== 206 || bytes.length !== last - first + 1 || version === 0 || old) {
          result.mistakes.push(`bytes=${first}-${last}: curl ${code} ${stderr.trim()}, status ${status}, ${bytes.length} bytes, version ${version}`);
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, (_, i) => reader(i)));
    if (slowReader) {
      const code = await slowEnded;
      const bytes = fs.readFileSync(slowFile);
      const version = versionOf(bytes, 0);
      if (version === 0 || (code === 0) !== (bytes.length === size)) result.mistakes.push(`the slow reader: curl ${code}, ${bytes.length} bytes, version ${version}`);
      result.slow = { curl: code, bytes: bytes.length, version };
    }
    const metrics = await edge.metrics();
    result.slicesFetched = metrics.sum('freshet_slices_fetched_total');
    result.originBytes = metrics.sum('freshet_origin_body_bytes_total');
    result.memory = { before: before.now, highest: edge.memory().highest };
    return result;
  } finally {
    slow?.kill();
    await edge?.stop();
    await nginx.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

export async function slices({ size = 1024, ranges = 100 }) {
  const figures = [];
  for (const control of ['no-cache', 'max-age=600']) figures.push(report(await readRanges({ size: size * mib, ranges, control })));
  return { figures, ok: figures.every(({ mistakes }) => mistakes.length === 0) };
}

// The memory tier, the write buffers and the block cache of the disk tier, and what four readers and a slow one have in flight.
const budget = 256 * mib + 256 * mib;

function report(result) {
  const grown = result.memory.highest - result.memory.before;
  if (grown > budget && !sanitized()) result.mistakes.push(`the edge grew by ${(grown / mib).toFixed(0)} MiB, more than ${budget / mib}`);
  console.log(`\n${result.size / mib} MiB on nginx (${result.control}), ${result.ranges} random ranges by curl, the file changed half-way`);
  console.log(`answers of the first version ${result.versions[1]}, of the second ${result.versions[2]}, mixed ${result.versions[0]}, cut ${result.cut ?? 0}; `
    + `a slow reader of the whole: curl ${result.slow.curl}, ${result.slow.bytes} bytes of version ${result.slow.version}`);
  console.log(`slices fetched ${result.slicesFetched}, bytes from the origin ${(result.originBytes / mib).toFixed(0)} MiB`);
  console.log(`resident memory ${(result.memory.before / mib).toFixed(0)} MiB before, ${(result.memory.highest / mib).toFixed(0)} MiB at most: `
    + `grown by ${(grown / mib).toFixed(0)} MiB of ${budget / mib} allowed`);
  console.log(result.mistakes.length === 0 ? 'ok' : `FAILED:\n  ${result.mistakes.slice(0, 20).join('\n  ')}`);
  return { ...result, budget };
}
