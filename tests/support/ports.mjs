// Free TCP ports for the real programs that cannot be told "port 0".
//
// The port was free a moment ago, no more than that: whoever starts a program on it looks whether it came up, and takes another port where it did not
// (see nginx.mjs).

import net from 'node:net';

export function freePort(host = '127.0.0.1') {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// Resolves when something accepts connections on the port; rejects when `gaveUp` resolves first (the program ended).
export async function accepting(port, gaveUp, host = '127.0.0.1') {
  let ended = false;
  gaveUp.then(() => { ended = true; });
  for (;;) {
    const ok = await new Promise((resolve) => {
      const socket = net.connect(port, host);
      socket.once('connect', () => { socket.destroy(); resolve(true); });
      socket.once('error', () => resolve(false));
    });
    if (ended) throw new Error(`nothing came up on port ${port}`);
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
