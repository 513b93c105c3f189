// Starts the demo origin: `node server.js [PORT]`, or PORT in the environment.
//
// With no port named it takes 3000, or the next free one. It prints one line when it accepts requests and
// leaves cleanly on SIGTERM and SIGINT.

import http from 'node:http';
import { createApp } from './app.js';

const kDefaultPort = 3000;
const kPortsTried = 100;
const named = process.argv[2] ?? process.env.PORT;
const server = http.createServer(createApp());

function listen(port) {
  server.once('error', (error) => {
    const mayTryNext = named === undefined && error.code === 'EADDRINUSE' && port < kDefaultPort + kPortsTried;
    if (mayTryNext) return listen(port + 1);
    console.error(`demo origin: cannot listen on 127.0.0.1:${port}: ${error.message}`);
    process.exit(1);
  });
  server.listen(port, '127.0.0.1');
}

server.on('listening', () => {
  console.log(`demo origin ready on http://127.0.0.1:${server.address().port}`);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}

const port = Number(named ?? kDefaultPort);
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`demo origin: not a port: ${named}`);
  process.exit(2);
}
listen(port);
