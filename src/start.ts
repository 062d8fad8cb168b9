#!/usr/bin/env node
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

/**
 * What `node` runs as main.js: starts the program that lies beside it in pieces. Beside a piece may lie the code that
 * V8 made of it when the program was built, which spares making it again at each start. It is of use to the very Node
 * that made it; any other one, and V8 where it does not like it, compiles the piece as it always does.
 */
const PROGRAM = './program.js';
const DIGEST_BYTES = 32;
/** ExitCode.usage. Nothing of the program is loaded yet. */
const USAGE = 2;

const folder = dirname(fileURLToPath(import.meta.url));
const requireOthers = createRequire(import.meta.url);
const loaded = new Map<string, { exports: unknown }>();

/** What has been loaded so far, by file name: for whoever keeps the code that was made of it. */
export const pieces = new Map<string, { source: string; script: Script }>();

if (isSomewhere()) load(PROGRAM);
else {
  process.stderr.write(
    'The folder that you are in was removed.\nGo to another one (or back to it, if it is there again: cd "$PWD").\n',
  );
  process.exitCode = USAGE;
}

/** Libraries ask for the current folder as soon as they are loaded. */
function isSomewhere(): boolean {
  try {
    return process.cwd() !== '';
  } catch {
    return false;
  }
}

function load(name: string): unknown {
  const before = loaded.get(name);
  if (before !== undefined) return before.exports;
  const module = { exports: {} };
  loaded.set(name, module);
  const file = join(folder, name);
  const source = readFileSync(file, 'latin1');
  const cachedData = readCode(file, source);
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  pieces.set(file, { source, script });
  const require = (target: string) => (target.startsWith('./') ? load(target) : requireOthers(target));
  script.runInThisContext()(module.exports, require, file, folder);
  return module.exports;
}

/** V8 looks at no more than the lengths: of what is damaged, or belongs to another text, the process could die. */
function readCode(file: string, source: string): Buffer | undefined {
  try {
    const kept = readFileSync(codeFileOf(file));
    const code = kept.subarray(DIGEST_BYTES);
    return digestOf(source, code).equals(kept.subarray(0, DIGEST_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Where the code that this Node made of a piece is kept: its digest, then the code. */
export function codeFileOf(file: string): string {
  return `${file}.${process.version}-${process.arch}.code`;
}

export function digestOf(source: string, code: Buffer): Buffer {
  return createHash('sha256').update(source, 'latin1').update(code).digest();
}
