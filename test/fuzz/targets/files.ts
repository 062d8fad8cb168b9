import net from 'node:net';
import { nameLocally, safeName, TEMP_PREFIX } from '../../../src/peer/files/local-name.js';
import { checkManifest, offeredFiles } from '../../../src/peer/files/manifest.js';
import { vetCandidates } from '../../../src/peer/paths/candidates.js';
import { readRemembered } from '../../../src/peer/serverless/remembered-peer.js';
import { ProtocolError } from '../../../src/protocol/errors.js';
import type { Candidate, ManifestEntry } from '../../../src/protocol/messages.js';
import { ensure, orRefused, Reader, type Target } from '../target.js';

/** What an authenticated peer says of files and addresses. */

const NAMES = [
  '..',
  '.',
  'a/b',
  '/etc',
  '\\x',
  'CON',
  'con.txt',
  'a.',
  'a ',
  'Ä',
  'A\u0308',
  'ﬁ',
  'K',
  `${TEMP_PREFIX}x`,
  'a:b',
];

function ensureSafe(name: string): void {
  ensure(name.length > 0 && Buffer.byteLength(name) <= 255, `a name has a length: ${JSON.stringify(name)}`);
  ensure(!/[/\\:\u0000-\u001f\u007f-\u009f]/.test(name), `a name is one name: ${JSON.stringify(name)}`);
  ensure(
    !/^\.+$|[. ]$/.test(name) && !name.toLowerCase().startsWith(TEMP_PREFIX),
    `nor special: ${JSON.stringify(name)}`,
  );
  ensure(!/^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i.test(name), `nor a device: ${JSON.stringify(name)}`);
}

const names: Target = {
  name: 'names',
  seeds: () => NAMES.map((name) => Buffer.from(name)),
  maxBytes: 600,
  maxMs: 250,
  run: (input) => {
    for (const encoding of ['utf8', 'utf16le'] as const) {
      const name = safeName(input.toString(encoding));
      ensureSafe(name);
      ensure(safeName(name) === name, 'a safe name stays');
    }
  },
};

const manifests: Target = {
  name: 'manifests',
  seeds: () => [entriesOf(NAMES), entriesOf(['d', 'd/a', 'd/A', 'd/a (1)', 'e'])],
  maxBytes: 16 * 1024,
  maxMs: 500,
  run: (input) => {
    const entries = readEntries(new Reader(input));
    const isTaken = orRefused(() => checkManifest(entries) ?? true, ProtocolError);
    if (!isTaken) return;
    const locals = nameLocally(entries);
    const taken = new Set<string>();
    for (const [index, { name, parent }] of locals.entries()) {
      ensureSafe(name);
      ensure(parent < index && (parent === -1 || entries[parent]?.directory === true), 'a parent is an earlier folder');
      const folded = `${parent} ${name.normalize('NFC').toLowerCase()}`;
      ensure(!taken.has(folded), `two entries would be one file: ${JSON.stringify(name)}`);
      taken.add(folded);
    }
    ensure(offeredFiles(entries).length <= entries.length, 'no more is shown than there is');
  },
};

/** Each path behind its length, with a byte of flags and a size. */
function entriesOf(paths: string[]): Buffer {
  return Buffer.concat(
    paths.map((path) => Buffer.concat([Buffer.from([path === 'd' ? 1 : 0, 5, path.length]), Buffer.from(path)])),
  );
}

function readEntries(reader: Reader): ManifestEntry[] {
  const entries: ManifestEntry[] = [];
  while (!reader.done && entries.length < 1_000) {
    const flags = reader.byte();
    const size = reader.number();
    const path = reader.text();
    const folder = flags & 2 ? entries.findLast(({ directory }) => directory)?.path : undefined;
    const directory = (flags & 1) === 1;
    entries.push({
      path: folder === undefined ? path : `${folder}/${path}`,
      directory,
      size: directory ? 0 : size,
      mode: flags * 257,
      mtimeMs: flags & 4 ? -size : size,
    });
  }
  return entries;
}

/** Addresses: from the peer, and as they are kept on the disk. */
const candidates: Target = {
  name: 'candidates',
  seeds: () => {
    const one = { type: 'host', transport: 'tcp', address: '192.0.2.1', port: 5, seenPorts: [7] };
    const kept = { tokens: ['00'.repeat(32)], port: 5, candidates: [one], loopbackAllowed: false, rememberedAtMs: 1 };
    const addresses = ['::1', 'fe80::1%lo', '::ffff:127.0.0.1', '255.255.255.255', '1', 'localhost', '2001:db8::1'];
    return [one, ...addresses.map((address) => ({ ...one, address })), kept].map((value) =>
      Buffer.from(JSON.stringify(value)),
    );
  },
  maxBytes: 2048,
  maxMs: 250,
  run: (input) => {
    const text = input.toString('utf8');
    const peer = readRemembered(text, 2);
    ensure(
      peer.tokens.every(({ length }) => length === 32),
      'what is remembered has whole tokens',
    );
    let told: unknown;
    try {
      told = JSON.parse(text);
    } catch {
      return;
    }
    const candidate = told as Candidate | null;
    // Of the shapes that the wire can hold.
    if (typeof candidate?.address !== 'string' || typeof candidate.port !== 'number') return;
    const seenPorts = Array.isArray(candidate.seenPorts)
      ? candidate.seenPorts.filter((port) => typeof port === 'number')
      : [];
    for (const { address, port } of vetCandidates([{ ...candidate, seenPorts }], false)) {
      ensure(net.isIP(address) !== 0 && !isForbidden(address), `not to ${address}`);
      ensure(Number.isInteger(port) && port > 0 && port < 65_536, 'a port is one');
    }
  },
};

/** In other words than the product's own: by the first numbers of the address. */
function isForbidden(address: string): boolean {
  const [first = 0, second = 0] = address
    .split(net.isIPv4(address) ? '.' : ':')
    .map((part) => Number.parseInt(part || '0', net.isIPv4(address) ? 10 : 16));
  if (net.isIPv4(address)) return first === 0 || first === 127 || first >= 224 || (first === 169 && second === 254);
  return (first === 0 && /^::[^:]*(:[^:]*)?$/.test(address)) || (first >= 0xfe80 && first < 0xfec0) || first >= 0xff00;
}

export const FILE_TARGETS: Target[] = [names, manifests, candidates];
