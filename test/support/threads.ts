import { mkdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'rolldown';
import type { Plugin } from 'vitest/config';

const THREAD = /new URL\('\.\/([\w-]+-worker)\.js', import\.meta\.url\)/g;
const BUILT = resolve(import.meta.dirname, '../../node_modules/.cache/threads');

/** Node starts a thread from JavaScript alone: so a source that starts one is given what is built of the thread's. */
export function builtThreads(): Plugin {
  return {
    name: 'built-threads',
    enforce: 'pre',
    async transform(code, id) {
      const names = [...code.matchAll(THREAD)].map(([, name = '']) => name);
      if (names.length === 0) return null;
      for (const name of names) await buildThread(join(dirname(id), `${name}.ts`));
      return code.replaceAll(THREAD, (_, name) => `new URL('${pathToFileURL(builtFile(name))}')`);
    },
  };
}

async function buildThread(source: string): Promise<void> {
  await mkdir(BUILT, { recursive: true });
  const file = builtFile(basename(source, '.ts'));
  // Packages stay where they are, for some look for files of theirs.
  const external = /^[^./]/;
  await build({ input: source, platform: 'node', external, output: { file, format: 'esm' }, logLevel: 'warn' });
}

function builtFile(name: string): string {
  return join(BUILT, `${name}.mjs`);
}
