// The programs of this folder, built where the binary that is measured was built.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

import { freshetBin } from '../support/edge.mjs';

const folder = path.resolve(path.dirname(freshetBin), '..');
const building = new Map();

// The path of the program, once it is built.
export function built(name) {
  const target = `tests/bench/${name}`;
  if (!building.has(name)) building.set(name, promisify(execFile)('ninja', ['-C', folder, target]).then(() => path.join(folder, target)));
  return building.get(name);
}
