// Over what the scenarios' clients speak to the edge. FRESHET_TEST_PROTOCOL says it:
//
//   h1   HTTP/1.1 in clear (and where the variable is not set)
//   tls  HTTP/1.1 over TLS
//   h2   HTTP/2 over TLS
//
// Lab.connect(), Lab.get() and Edge.get() speak it, and each Edge listens for it. A test whose point is another protocol's says so, with the reason:
//
//   test('...', notOverHttp2('the framing is HTTP/1\'s'), async () => { ... });

import { Certificates } from './certificates.mjs';
import { connectHttp2 } from './http2_client.mjs';
import { RawClient } from './raw_client.mjs';
import { connectTls } from './tls_client.mjs';

export const protocol = process.env.FRESHET_TEST_PROTOCOL || 'h1';
if (!['h1', 'tls', 'h2'].includes(protocol)) throw new Error(`FRESHET_TEST_PROTOCOL is ${protocol}, not h1, tls or h2`);

export const overTls = protocol !== 'h1';
export const overHttp2 = protocol === 'h2';
export const scheme = overTls ? 'https' : 'http';

export const notOverHttp2 = (reason) => ({ skip: overHttp2 && `not over HTTP/2: ${reason}` });
export const notOverTls = (reason) => ({ skip: overTls && `not over TLS: ${reason}` });

let made;

// For the command line of an edge that is to be spoken to so.
export function listenFlags() {
  if (!overTls) return [];
  if (made === undefined) {
    made = new Certificates();
    made.edge = made.issue('edge');
    process.once('exit', () => made.remove());
  }
  return ['--tls-listen', '127.0.0.1:0', '--tls-cert', made.edge.cert, '--tls-key', made.edge.key];
}

// So that curl speaks it with such an edge.
export const curlFlags = () => (overTls ? ['--cacert', made.ca, overHttp2 ? '--http2' : '--http1.1'] : []);

const connectors = {
  h1: (edge, options) => RawClient.connect(edge.port, options),
  tls: (edge, options) => connectTls(edge.tlsPort, { ALPNProtocols: ['http/1.1'], ...options }),
  h2: (edge, options) => connectHttp2(edge.tlsPort, options),
};

// A client with the verbs of RawClient.
export const connectTo = (edge, options) => connectors[protocol](edge, options);

// One request on a connection of its own.
export async function fetchFrom(edge, target, options) {
  const client = await connectTo(edge);
  try {
    return await client.request(target, options).response();
  } finally {
    client.close();
  }
}
