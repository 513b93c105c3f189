// The key: what the origin may answer by is in it, what is not in it does not reach the origin.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectForwarded, expectHit, expectWhole } from '../support/expect.mjs';
import { ownLab, sharedLab } from '../support/lab.mjs';

const lab = sharedLab();
const fresh = { 'Cache-Control': 'max-age=60' };

// Each makes some server or framework see another target, method, host or scheme than the request line and Host say.
for (const [name, value] of [
  ['X-Forwarded-Host', 'evil.example'], ['X-Forwarded-Server', 'evil.example'], ['X-Forwarded-Prefix', '/evil'], ['X-Forwarded-Scheme', 'https'],
  ['X-Forwarded-Proto', 'https'], ['X-Forwarded-Port', '65530'], ['X-Forwarded-For', '6.6.6.6'], ['X-Forwarded-Ssl', 'on'], ['X-Forwarded-Path', '/evil'],
  ['Forwarded', 'host=evil.example'], ['X-Original-URL', '/evil'], ['X-Rewrite-URL', '/evil'], ['X-Original-Host', 'evil.example'],
  ['X-Host', 'evil.example'], ['X-HTTP-Method-Override', 'DELETE'], ['X-HTTP-Method', 'DELETE'], ['X-Method-Override', 'DELETE'], ['X-Real-IP', '6.6.6.6'],
]) {
  test(`what ${name} says is not in the key and does not reach the origin, with '_' neither`, async () => {
    for (const spelling of [name, name.toLowerCase().replaceAll('-', '_')]) {
      const path = lab.path();
      lab.origin.on(path, { fields: fresh, body: 'x' });
      await lab.get(path, { fields: { [spelling]: value } });
      expectHit(await lab.get(path));
      const [request] = lab.origin.requestsFor(path);
      assert.ok(!request.fields.some(([, v]) => v.includes(value) && v !== '127.0.0.1'), request.headBytes.toString());
    }
  });
}
