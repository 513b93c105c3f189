// `freshet top`: one look, and the terminal view, which leaves the terminal as it was.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';

import { freshetBin, runToEnd, temporaryDirectory } from '../support/edge.mjs';
import { sharedLab } from '../support/lab.mjs';
import { within } from '../support/waiting.mjs';

const lab = sharedLab({ workers: 2 });
const fresh = { 'Cache-Control': 'max-age=60' };

// Requests go on until `promise` is settled.
async function busyWhile(promise, ...pathnames) {
  let going = true;
  const ended = promise.finally(() => { going = false; });
  while (going) {
    for (const pathname of pathnames) await lab.get(pathname);
  }
  return ended;
}

test('--once: rates, outcomes and the targets that are asked for most, as plain text', async () => {
  const [often, seldom] = [lab.path(), lab.path()];
  lab.origin.on(often, { fields: fresh, body: 'x' });
  lab.origin.on(seldom, { fields: { 'Cache-Control': 'no-store' }, body: 'x'.repeat(10_000) });
  await lab.store(often);
  const look = (...args) => busyWhile(runToEnd(['top', '--once', '--interval', '500ms', '--cache-dir', lab.edge.cacheDir, ...args]), often, often, often, seldom);
  const { status, stdout, stderr } = await look();
  assert.equal(status, 0, stderr);
  assert.ok(!stdout.includes('\x1b'), 'no control sequences');
  assert.match(stdout, /^freshet \S+, up 0d .* 2 workers; the last \S+ s, sorted by requests\nclients +[\d,.]+ requests\/s {3}hits [67]\d\.\d %/);
  assert.match(stdout, /\nhit +[\d,.]+ +[67]\d\.\d +\d+\.\d\d +\d+\.\d\d\n/);
  const order = (text) => text.split('TARGET\n')[1].trimEnd().split('\n').map((line) => line.split(' ').at(-1));
  assert.deepEqual(order(stdout), [often, seldom].map((pathname) => lab.edge.authority + pathname));
  assert.deepEqual(order((await look('--sort', 'bytes')).stdout), [seldom, often].map((pathname) => lab.edge.authority + pathname));
  assert.match(stdout, new RegExp(`\n +[\\d,.]+ +100\\.0 +\\S+ \\S+ +[\\d.]+ {2}${lab.edge.authority}${often}\n`));
});

test('/v1/top counts while somebody looks, /v1/stats has the latencies', async () => {
  const pathname = lab.path();
  lab.origin.on(pathname, { fields: fresh, body: 'x' });
  const targets = async () => JSON.parse((await lab.edge.admin('/v1/top')).text).targets;
  await targets();
  for (let i = 0; i < 3; ++i) await lab.get(pathname);
  const found = (await targets()).find(({ target }) => target === lab.edge.authority + pathname);
  assert.equal(found.requests, 3);
  assert.equal(found.hits, 2);
  assert.equal(found.bytes, 3);
  const { latency, edge } = JSON.parse((await lab.edge.admin('/v1/stats')).text);
  assert.equal(latency.first_byte.hit.buckets.length, latency.bounds.length + 1);
  assert.equal(latency.first_byte.hit.count, edge.hits);
  assert.equal(latency.duration.hit.buckets.reduce((sum, n) => sum + n), edge.hits);
});

test('no edge there: exit status 1, one line', async () => {
  const { status, stderr } = await runToEnd(['top', '--once', '--cache-dir', temporaryDirectory()]);
  assert.equal(status, 1);
  assert.match(stderr, /^freshet: cannot reach the edge at [^\n]+\n$/);
});

// Runs freshet top on a terminal of its own, does `script` to it, and prints what came out, and whether the terminal's settings are what they were.
const onTerminal = `
import json, os, pty, select, signal, sys, termios, time
script = json.loads(sys.argv[1])
leader, follower = pty.openpty()
before = termios.tcgetattr(follower)
child = os.fork()
if child == 0:
    os.setsid()
    import fcntl
    fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(follower, fd)
    os.execv(sys.argv[2], sys.argv[2:])
out = b''
def read_until(text):
    global out
    start = len(out)
    while text not in out[start:]:
        if not select.select([leader], [], [], 60)[0]:
            raise SystemExit('no ' + repr(text) + ' in ' + repr(out[start:]))
        out += os.read(leader, 65536)
raw = None
for step in script:
    if 'until' in step:
        read_until(step['until'].encode())
        raw = raw or termios.tcgetattr(follower)
    if 'press' in step:
        os.write(leader, step['press'].encode())
    if 'signal' in step:
        os.kill(child, getattr(signal, step['signal']))
while True:
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid: break
    if select.select([leader], [], [], 0.02)[0]:
        out += os.read(leader, 65536)
while select.select([leader], [], [], 0)[0]:
    out += os.read(leader, 65536)
print(json.dumps({'out': out.decode('latin1'), 'status': os.waitstatus_to_exitcode(status),
                  'raw': raw[3] != before[3], 'restored': termios.tcgetattr(follower) == before}))
`;

async function top(script) {
  const command = [freshetBin, 'top', '--interval', '100ms', '--cache-dir', lab.edge.cacheDir];
  const child = spawn('python3', ['-c', onTerminal, JSON.stringify(script), ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { out[name] += text; });
  const [status] = await within(new Promise((resolve) => { child.once('close', (...both) => resolve(both)); }), () => `freshet top to end: ${out.stderr}`);
  assert.equal(status, 0, out.stderr);
  return JSON.parse(out.stdout);
}

function expectRestored(done) {
  assert.ok(done.raw, 'keys come as they are pressed');
  assert.ok(done.restored, 'the settings of the terminal are what they were');
  assert.ok(done.out.includes('\x1b[?1049h'), 'a screen of its own');
  assert.ok(done.out.trimEnd().endsWith('\x1b[?25h\x1b[?1049l'), 'the cursor and the screen that were there');
  assert.equal(done.status, 0);
}

test('on a terminal: keys sort, q ends and leaves the terminal as it was', async () => {
  const done = await top([{ until: 'sorted by requests' }, { press: 'b' }, { until: 'sorted by bytes' }, { press: 'm' }, { until: 'sorted by misses' }, { press: 't' },
    { until: 'sorted by time' }, { press: 'q' }]);
  expectRestored(done);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal} leaves the terminal as it was`, async () => {
    expectRestored(await top([{ until: 'sorted by requests' }, { signal }]));
  });
}

