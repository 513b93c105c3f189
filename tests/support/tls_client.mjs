// A client over TLS: a RawClient whose socket is Node's TLSSocket, and what the tests look at in it.
//
//   const client = await connectTls(edge.tlsPort, { ca: made.caText, servername: 'a.test' });
//   client.socket.isSessionReused(), client.socket.alpnProtocol, client.socket.getPeerCertificate() ...

import tls from 'node:tls';

import { RawClient } from './raw_client.mjs';
import { within } from './waiting.mjs';

// Rejects where the handshake fails. By default the certificate is not looked at.
export async function connectTls(port, options = {}) {
  const verified = options.ca !== undefined;
  const socket = tls.connect({ port, host: '127.0.0.1', allowHalfOpen: true, rejectUnauthorized: verified, ...options });
  const client = new RawClient(socket);
  client.sessions = [];
  socket.on('session', (session) => client.sessions.push(session));
  await within(new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  }), `a TLS connection to port ${port}`);
  socket.setNoDelay(true);
  return client;
}

// The session of a connection that has been used: in TLS 1.3 the ticket comes after the handshake.
export function sessionOf(client) {
  if (client.sessions.length > 0) return Promise.resolve(client.sessions.at(-1));
  return within(new Promise((resolve) => { client.socket.once('session', resolve); }), 'a session ticket');
}
