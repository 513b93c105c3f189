// The proxies that are compared, each configured as a caching proxy before the same origin: no access log, the same number of workers, the same core.

import fs from 'node:fs';

import { Edge } from '../support/edge.mjs';
import { Nginx } from '../support/nginx.mjs';

export const proxies = {
  async freshet(origin, { workers, wrap = [], settings = {} }) {
    const edge = await Edge.start({ origin: origin.url, workers, wrap, accessLog: 'off', settings });
    return { port: edge.port, pids: () => [edge.pid], stop: () => edge.stop() };
  },

  async nginx(origin, { workers, wrap = [] }) {
    const nginx = await Nginx.start({
      workers,
      wrap,
      log: false,
      http: (n) => `
        sendfile on;
        tcp_nopush off;
        keepalive_requests 100000000;
        open_file_cache max=10000 inactive=600s;
        proxy_cache_path ${n.prefix}/cache levels=1:2 keys_zone=bench:16m max_size=1g inactive=600m;
        upstream origin { server 127.0.0.1:${origin.port}; keepalive 64; }`,
      server: () => `
        location / {
          proxy_pass http://origin;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $http_host;
          proxy_cache bench;
          proxy_cache_lock on;
          proxy_cache_revalidate on;
        }`,
    });
    return { port: nginx.port, pids: () => nginx.pids(), stop: () => nginx.stop() };
  },
};

const ticksPerSecond = 100;  // USER_HZ

// CPU seconds, user and system, of these processes with all their threads.
export function cpuSeconds(pids) {
  const ticks = pids.map((pid) => {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, n) => sum + n, 0) / ticksPerSecond;
}
