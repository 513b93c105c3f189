// nginx as an origin of files by size: /SIZE?whatever has SIZE bytes and may be kept for a day.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { Nginx } from '../support/nginx.mjs';

const get = (url) => new Promise((resolve, reject) => {
  http.get(url, { agent: false }, (response) => {
    let text = '';
    response.setEncoding('latin1');
    response.on('data', (data) => { text += data; });
    response.once('end', () => resolve(text));
  }).once('error', reject);
});

export async function sizedOrigin(sizes) {
  const nginx = await Nginx.start({
    log: false,
    server: (n) => `
      root ${n.prefix}/www;
      keepalive_requests 100000000;
      location / { add_header Cache-Control "max-age=86400"; }
      location = /requests { stub_status; }`,
  });
  for (const size of sizes) fs.writeFileSync(path.join(nginx.prefix, 'www', String(size)), Buffer.alloc(size, 'freshet '), { mode: 0o644 });
  return {
    url: nginx.url,
    port: nginx.port,
    // How many it has answered, these questions not counted.
    asked: 0,
    async requests() {
      ++this.asked;
      return Number(/requests\s+\d+ \d+ (\d+)/.exec(await get(`${nginx.url}/requests`))[1]) - this.asked;
    },
    stop: () => nginx.stop(),
  };
}
