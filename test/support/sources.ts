import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface SourceImport {
  /** A package or Node module by its name, a file of ours by its path below src/. */
  target: string;
  /** Nothing of it remains when the program runs. */
  typeOnly: boolean;
}

/** The text of every source file, by its path below src/, '/' between the parts. */
export type Sources = ReadonlyMap<string, string>;

export function readSources(): Sources {
  const root = fileURLToPath(new URL('../../src', import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return new Map(files.sort().map((name) => [name.replaceAll('\\', '/'), readFileSync(join(root, name), 'utf8')]));
}

/** `import` and `export … from` in every form, and `import()` and `createRequire`'s `require()` of a literal. */
const IMPORT = /(?:^|[;\n])\s*(?:import|export)\s+(?:(type)\s+)?(?:[^'";]*?\bfrom\s*)?['"]([^'"]+)['"]/g;
const CALL = /\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g;

export function importsOf(file: string, text: string): SourceImport[] {
  const code = withoutComments(text);
  const statements = Array.from(code.matchAll(IMPORT), ([, type, target = '']) => ({
    target,
    typeOnly: type !== undefined,
  }));
  const calls = Array.from(code.matchAll(CALL), ([, target = '']) => ({ target, typeOnly: false }));
  return [...statements, ...calls].map((each) => ({ ...each, target: resolve(file, each.target) }));
}

/** Enough for code that biome has formatted: no string of ours holds the beginning of a comment after a space. */
export function withoutComments(text: string): string {
  return text.replace(/(^|\s)\/\*[\s\S]*?\*\//g, '$1').replace(/(^|\s)\/\/.*/g, '$1');
}

function resolve(file: string, target: string): string {
  if (!target.startsWith('.')) return target;
  return posix.join(posix.dirname(file), target).replace(/\.js$/, '.ts');
}

/** Each cycle of imports once, as the files along it; imports of types alone do not count. */
export function importCycles(sources: Sources): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string) => {
    const at = path.indexOf(file);
    if (at !== -1) cycles.push(path.slice(at));
    if (at !== -1 || done.has(file)) return;
    path.push(file);
    for (const { target, typeOnly } of importsOf(file, sources.get(file) ?? ''))
      if (!typeOnly && sources.has(target)) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of sources.keys()) visit(file);
  return cycles;
}
