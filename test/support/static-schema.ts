import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
// @ts-expect-error it has no types
import { staticSchema } from '../../scripts/lib/static-schema.mjs';
import type { loadType } from '../../src/protocol/schema.js';

const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache');

/** What the build puts in the place of src/protocol/schema.ts. */
export async function builtLoadType(): Promise<typeof loadType> {
  mkdirSync(CACHE, { recursive: true });
  const file = resolve(CACHE, 'static-schema.mjs');
  writeFileSync(file, staticSchema());
  return (await import(pathToFileURL(file).href)).loadType;
}
