import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { wholeMs } from '../../../../src/peer/files/whole-ms.js';

/** Paths ending in '/' are folders; the rest are files with this content. */
export function plant(base: string, tree: Record<string, string | Buffer>): void {
  for (const [path, content] of Object.entries(tree)) {
    const full = join(base, path);
    mkdirSync(path.endsWith('/') ? full : dirname(full), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(full, content);
  }
}

/** Every path below `base`, hidden ones too: '' for a folder (whose key ends in '/'), SHA-256 in hex for a file. */
export function survey(base: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(base).sort()) {
    const path = join(base, name);
    const kind = lstatSync(path);
    if (kind.isDirectory()) {
      found[`${name}/`] = '';
      for (const [below, content] of Object.entries(survey(path))) found[`${name}/${below}`] = content;
    } else if (kind.isSymbolicLink()) found[name] = 'symlink';
    else found[name] = sha256(readFileSync(path));
  }
  return found;
}

/** Mode and time of every path below `base`, without the slash at the end of a folder's. */
export function attributesBelow(base: string): Record<string, string> {
  const paths = Object.keys(survey(base)).map((path) => path.replace(/\/$/, ''));
  return Object.fromEntries(
    paths.map((path) => {
      const { mode, mtimeNs } = lstatSync(join(base, path), { bigint: true });
      return [path, `${(mode & 0o7777n).toString(8)} ${wholeMs(mtimeNs)}`];
    }),
  );
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Bytes that repeat nowhere near a chunk's length. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}
