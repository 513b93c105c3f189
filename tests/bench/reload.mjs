// A reload storm (RFC 9111 section 5.2.1.4): clients that insist on validation, all for one key. The origin is to see one conditional request in each
// reload_interval, whatever the clients do.

import net from 'node:net';
import { performance } from 'node:perf_hooks';

import { Edge } from '../support/edge.mjs';
import { Origin } from '../support/origin.mjs';
import { fetchRaw } from '../support/raw_client.mjs';
import { within } from '../support/waiting.mjs';

const path = '/reloaded';
const request = `GET ${path} HTTP/1.1\r\nHost: bench.example\r\nCache-Control: no-cache\r\n\r\n`;
const body = 'r'.repeat(1024);

// One client on one connection: asks again as soon as it has its answer, while `more()`. Resolves with the number of answers.
function insist(port, more) {
  return new Promise((resolve, reject) => {
    let answers = 0;
    let received = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(request));
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
      const end = received.indexOf('\r\n\r\n');
      if (end < 0 || received.length < end + 4 + body.length) return;
      if (!received.startsWith('HTTP/1.1 200 ') || received.slice(end + 4) !== body) return void reject(new Error(received.slice(0, end)));
      received = '';
      ++answers;
      if (more(answers)) return void socket.write(request);
      socket.removeAllListeners('close').destroy();
      resolve(answers);
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the edge closed the connection')));
  });
}

// `more(answers)` says if a client asks once more. Resolves with {answers, asked: the origin's requests after the first, conditional: how many of them}.
export async function storm({ clients, settings = {}, more }) {
  const origin = await Origin.start();
  const fields = { 'Cache-Control': 'max-age=3600', ETag: '"v1"' };
  origin.on(path, (asked, reply) => reply.send(asked.field('if-none-match') === '"v1"' ? 304 : 200, fields, body));
  const edge = await Edge.start({ origin: origin.url, accessLog: 'off', settings });
  try {
    await fetchRaw(edge.port, path, { host: 'bench.example' });
    const answers = await within(Promise.all(Array.from({ length: clients }, () => insist(edge.port, more))), `${clients} clients`);
    const [, ...after] = origin.requestsFor(path);
    return {
      answers: answers.reduce((sum, n) => sum + n, 0),
      asked: after.length,
      conditional: after.filter((one) => one.has('if-none-match')).length,
    };
  } finally {
    await edge.stop();
    await origin.stop();
  }
}

export async function reload({ clients = 1000, seconds = 5 }) {
  const end = performance.now() + 1000 * seconds;
  const result = await storm({ clients, more: () => performance.now() < end });
  const most = seconds + 1;
  const ok = result.asked <= most && result.conditional === result.asked;
  console.log(`\n${clients} clients send Cache-Control: no-cache for one key during ${seconds} s, cache.reload_interval = 1s`);
  console.log(`${result.answers} answers; after the first request the origin saw ${result.asked} (at most ${most}), ${result.conditional} of them conditional: ${ok ? 'ok' : 'FAILED'}`);
  return { clients, seconds, most, ...result, ok };
}
