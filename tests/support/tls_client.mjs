// A client over TLS: a RawClient whose socket is Node's TLSSocket, and what the tests look at in it.
//
//   const client = await connectTls(edge.tlsPort, { ca: made.caText, servername: 'a.test' });
//   client.socket.isSessionReused(), client.socket.alpnProtocol, client.socket.getPeerCertificate() ...

import net from 'node:net';
import tls from 'node:tls';

import { RawClient } from './raw_client.mjs';
import { within } from './waiting.mjs';

// The socket after its handshake; rejects where that fails. By default the certificate is not looked at. `socket.under` is the TCP socket.
export async function tlsSocket(port, options = {}) {
  const verified = options.ca !== undefined;
  const { localAddress, allowHalfOpen = true, ...rest } = options;
  const under = net.connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen });
  under.setNoDelay(true);
  const socket = tls.connect({ socket: under, host: '127.0.0.1', allowHalfOpen, rejectUnauthorized: verified, ...rest });
  socket.under = under;
  socket.sessions = [];
  socket.on('session', (session) => socket.sessions.push(session));
  await within(new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
    under.once('error', reject);
  }), `a TLS connection to port ${port}`);
  return socket;
}

export async function connectTls(port, options) {
  const client = new RawClient(await tlsSocket(port, options));
  client.sessions = client.socket.sessions;
  return client;
}

// The session of a connection that has been used: in TLS 1.3 the ticket comes after the handshake.
export function sessionOf(client) {
  if (client.sessions.length > 0) return Promise.resolve(client.sessions.at(-1));
  return within(new Promise((resolve) => { client.socket.once('session', resolve); }), 'a session ticket');
}
