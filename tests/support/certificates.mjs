// Certificates for tests, made by the openssl command when they are needed; none is kept in the tree.
//
//   const made = new Certificates();                 // a directory of its own, and an authority that signs
//   const a = made.issue('a', { names: ['a.test', '*.w.test'], key: 'rsa' });   // { cert, key, text, serial }: paths of PEM files
//   made.issueFor(3, 'short')                        // valid for three seconds
//   made.ca                                          // the authority's certificate (a path); made.caText
//   made.remove();

import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export function openssl(args, options = {}) {
  try {
    return execFileSync('openssl', args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  } catch (error) {
    throw new Error(`openssl ${args.join(' ')}: ${error.stderr}`);
  }
}

const keyArguments = {
  ecdsa: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
};

export class Certificates {
  #made = 0;

  constructor() {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-certs-'));
    this.ca = this.path('ca.pem');
    this.caKey = this.path('ca.key');
    openssl(['req', '-x509', ...keyArguments.ecdsa, '-nodes', '-keyout', this.caKey, '-out', this.ca, '-days', '30', '-subj', '/CN=Test authority',
      '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign']);
  }

  path(name) { return path.join(this.directory, name); }
  write(name, content) {
    fs.writeFileSync(this.path(name), content, { mode: 0o600 });
    return this.path(name);
  }

  get caText() { return fs.readFileSync(this.ca, 'utf8'); }

  // Signed by the authority. The same `name` again makes new files in place of the old ones.
  issue(name, { names = [`${name}.test`], ips = ['127.0.0.1'], key = 'ecdsa', days = 30 } = {}) {
    const files = { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
    const alternatives = [...names.map((each) => `DNS:${each}`), ...ips.map((each) => `IP:${each}`)].join(',');
    const request = openssl(['req', '-new', ...keyArguments[key], '-nodes', '-keyout', files.key, '-subj', `/CN=${name}`]);
    const extensions = this.write('extensions', alternatives === '' ? '' : `subjectAltName=${alternatives}\n`);
    const serial = String(1000 + ++this.#made);
    openssl(['x509', '-req', '-CA', this.ca, '-CAkey', this.caKey, '-set_serial', serial, '-days', String(days), '-extfile', extensions,
      '-out', files.cert], { input: request });
    fs.chmodSync(files.key, 0o600);
    return { ...files, serial };
  }

  // The same, until `seconds` from now: { cert, key, end }, the end in milliseconds since 1970.
  issueFor(seconds, name) {
    const files = { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
    openssl(['req', '-new', ...keyArguments.ecdsa, '-nodes', '-keyout', files.key, '-subj', `/CN=${name}`, '-out', this.path('request.pem')]);
    const config = this.write('short.cnf', `[ca]\ndefault_ca=short\n[short]\ndatabase=${this.write('short.index', '')}\nnew_certs_dir=${this.directory}\n`
      + 'rand_serial=yes\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n');
    const end = 1000 * (Math.floor(Date.now() / 1000) + seconds);
    const time = new Date(end).toISOString().replace(/\.\d+|[-:T]/g, '');
    openssl(['ca', '-batch', '-config', config, '-cert', this.ca, '-keyfile', this.caKey, '-in', this.path('request.pem'), '-notext', '-enddate', time,
      '-out', files.cert]);
    fs.chmodSync(files.key, 0o600);
    return { ...files, end };
  }

  // An OCSP response (DER) that calls the certificate good.
  staple(name, issued, { validDays = 1 } = {}) {
    const pad = (text) => text.padStart(2, '0');
    const serial = Number(issued.serial).toString(16).toUpperCase();
    const index = this.write('index', `V\t351231235959Z\t\t${pad(serial.length % 2 ? `0${serial}` : serial)}\tunknown\t/CN=${name}\n`);
    const out = this.path(`${name}.ocsp`);
    const request = this.path('request.der');
    openssl(['ocsp', '-issuer', this.ca, '-cert', issued.cert, '-no_nonce', '-reqout', request]);
    openssl(['ocsp', '-index', index, '-CA', this.ca, '-rsigner', this.ca, '-rkey', this.caKey, '-reqin', request, '-respout', out,
      '-ndays', String(validDays)]);
    return out;
  }

  // A line for tls.ticket_keys.
  static ticketKey() { return crypto.randomBytes(80).toString('base64'); }

  remove() { fs.rmSync(this.directory, { recursive: true, force: true }); }
}
