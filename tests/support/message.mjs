// HTTP/1 message syntax as the tests see it: what was on the wire, nothing interpreted away.

// "Name: value\r\n..." -> [[name, value], ...] in order; the spelling of names is kept.
export function parseFields(text) {
  const fields = [];
  for (const line of text.split('\r\n')) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon < 0) throw new Error(`not a field line: ${JSON.stringify(line)}`);
    fields.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
  }
  return fields;
}

// All values of a field, in order.
export function valuesOf(fields, name) {
  const lower = name.toLowerCase();
  return fields.filter(([n]) => n.toLowerCase() === lower).map(([, v]) => v);
}

// The combined value of a field (RFC 9110 section 5.3), or undefined where it is absent.
export function valueOf(fields, name) {
  const values = valuesOf(fields, name);
  return values.length === 0 ? undefined : values.join(', ');
}

// The same with names in lower case, as they always are in HTTP/2.
export const lowered = (fields) => fields.map(([name, value]) => [name.toLowerCase(), value]);

// {name: value, name: [v1, v2]} or [[name, value], ...] -> field lines.
export function fieldLines(fields) {
  const list = Array.isArray(fields) ? fields : Object.entries(fields);
  return list
    .flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((v) => `${name}: ${v}\r\n`))
    .join('');
}

export function hasField(fields, name) {
  return valuesOf(fields, name).length > 0;
}

// One chunk of a chunked body.
export function chunk(data) {
  const bytes = Buffer.from(data);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

export const lastChunk = '0\r\n\r\n';

// The member of Cache-Status (RFC 9211) that the edge wrote: {hit: true, fwd: 'uri-miss', 'fwd-status': '200', ...}, or undefined.
export function cacheStatus(response, name = 'freshet') {
  const value = valueOf(response.fields, 'cache-status');
  if (value === undefined) return undefined;
  for (const member of splitOutside(value, ',')) {
    const [id, ...params] = splitOutside(member, ';').map((s) => s.trim());
    if (unquote(id) !== name) continue;
    return Object.fromEntries(params.map((p) => {
      const eq = p.indexOf('=');
      return eq < 0 ? [p, true] : [p.slice(0, eq), unquote(p.slice(eq + 1))];
    }));
  }
  return undefined;
}

function unquote(s) {
  return s.startsWith('"') ? s.slice(1, -1).replace(/\\(.)/g, '$1') : s;
}

function splitOutside(text, separator) {
  const parts = [''];
  let quoted = false;
  for (let i = 0; i < text.length; ++i) {
    const c = text[i];
    if (quoted && c === '\\') { parts[parts.length - 1] += c + text[++i]; continue; }
    if (c === '"') quoted = !quoted;
    if (c === separator && !quoted) parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts;
}
