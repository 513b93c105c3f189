// The demo origin of deploy/demo, on a free port, and what it says it saw.

import { spawn } from 'node:child_process';
import path from 'node:path';

import { root } from './edge.mjs';
import { within } from './waiting.mjs';

export class Demo {
  static async start() {
    const demo = new Demo();
    demo.child = spawn(process.execPath, [path.join(root, 'deploy/demo/server.js'), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    demo.exited = new Promise((resolve) => { demo.child.once('close', resolve); });
    demo.url = await within(new Promise((resolve, reject) => {
      let text = '';
      demo.child.stdout.setEncoding('utf8').on('data', (part) => {
        text += part;
        const ready = /ready on (http:\/\/\S+)/.exec(text);
        if (ready) resolve(ready[1]);
      });
      demo.child.once('error', reject);
      demo.child.once('close', () => reject(new Error('the demo origin ended')));
    }), 'the demo origin');
    return demo;
  }

  // {"GET /page": {"200": 1, "304": 2}, ...}, asked past the edge.
  async seen() { return (await fetch(`${this.url}/_log`)).json(); }

  async forget() { await fetch(`${this.url}/_log`, { method: 'DELETE' }); }

  async stop() {
    this.child.kill('SIGTERM');
    await within(this.exited, 'the demo origin to end');
  }
}
