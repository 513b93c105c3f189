// Programs of deploy/ under test: started, followed line by line, stopped.

import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

// A program in a process group of its own. `output` is what it printed so far; `ended` resolves with {status, signal}.
export class Program {
  output = '';
  #waiting = new Set();

  constructor(command, args) {
    this.child = spawn(command, args, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.output += text;
        this.#look();
      });
    }
    this.ended = new Promise((resolve) => {
      this.child.once('close', (status, signal) => {
        this.over = { status, signal };
        this.#look();
        resolve(this.over);
      });
    });
  }

  #look() {
    for (const look of this.#waiting) look();
  }

  // Resolves with the match once the output has it; rejects when the program ends without.
  prints(pattern) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(this.output);
        if (!match && !this.over) return;
        this.#waiting.delete(look);
        if (match) resolve(match);
        else reject(new Error(`ended (${JSON.stringify(this.over)}) without ${pattern}:\n${this.output}`));
      };
      this.#waiting.add(look);
      look();
    });
  }

  signal(name) {
    this.child.kill(name);
    return this.ended;
  }

  // As Ctrl-C in a terminal: every process of the group gets it.
  interruptGroup() {
    process.kill(-this.child.pid, 'SIGINT');
    return this.ended;
  }

  // Whether any process of its group is left.
  get leftBehind() {
    try {
      process.kill(-this.child.pid, 0);
      return true;
    } catch {
      return false;
    }
  }
}

export async function startDemo(port = 0, { ready = true } = {}) {
  const demo = new Program('node', ['deploy/demo/server.js', String(port)]);
  if (ready) [, demo.url] = await demo.prints(/demo origin ready on (http:\S+)\n/);
  demo.stop = async () => {
    const { status } = await demo.signal('SIGTERM');
    if (status !== 0) throw new Error(`the demo origin ended with ${status}:\n${demo.output}`);
  };
  return demo;
}
