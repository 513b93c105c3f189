// Headers of the PROXY protocol, as a proxy in front sends them (haproxy.org, doc/proxy-protocol.txt).

import net from 'node:net';

export const line = (source, destination = source, sourcePort = 4711, port = 80) => (
  `PROXY TCP${net.isIPv6(source) ? 6 : 4} ${source} ${destination} ${sourcePort} ${port}\r\n`);

function addressBytes(text) {
  if (net.isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  const [left, right] = text.split('::').map((half) => (half === '' ? [] : half.split(':').map((group) => parseInt(group, 16))));
  const groups = right === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill(0), ...right];
  return Buffer.concat(groups.map((group) => Buffer.from([group >> 8, group & 0xff])));
}

// What begins with type and length.
export function value(type, content) {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

// Version 2. command: 1 is PROXY, 0 LOCAL; family: of addresses and protocol.
export function binary({ source, destination = source, sourcePort = 4711, port = 80, command = 1, family, addresses, values = [] } = {}) {
  const ports = Buffer.from([sourcePort >> 8, sourcePort & 0xff, port >> 8, port & 0xff]);
  const told = addresses ?? (source ? Buffer.concat([addressBytes(source), addressBytes(destination), ports]) : Buffer.alloc(0));
  const rest = Buffer.concat([told, ...values]);
  const kind = family ?? (source === undefined ? 0 : net.isIPv6(source) ? 0x21 : 0x11);
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x20 | command, kind, rest.length >> 8, rest.length & 0xff]), rest]);
}
