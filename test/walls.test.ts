import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { describe, expect, test } from 'vitest';
import { importCycles, importsOf, readSources, type Sources, withoutComments } from './support/sources.js';

/**
 * The layering of the house, as DESIGN.md draws it:
 *
 *   server/ ──► protocol/, shared/ ◄── peer/          and inside peer/, only ui/ knows the terminal
 */
const sources = readSources();
const MAINS = ['server/main.ts', 'peer/main.ts'];
const isMain = (file: string) => MAINS.includes(file);
const isFace = (file: string) => file.startsWith('peer/ui/');
const isStart = (file: string) => file === 'start.ts';

/** Which folder must not know which. */
const FORBIDDEN: [string, string][] = [
  ['server/', 'peer/'],
  ['peer/', 'server/'],
  ['protocol/', 'server/'],
  ['protocol/', 'peer/'],
  ['shared/', 'server/'],
  ['shared/', 'peer/'],
];

function crossings(files: Sources): string[] {
  return [...files].flatMap(([file, text]) =>
    importsOf(file, text)
      .filter(({ target }) => FORBIDDEN.some(([from, to]) => file.startsWith(from) && target.startsWith(to)))
      .map(({ target }) => `src/${file} imports src/${target}: move what both need to src/protocol/ or src/shared/`),
  );
}

/** `why` follows each file that has `pattern` in its code and may not have it. */
function uses(files: Sources, pattern: RegExp, allowed: (file: string) => boolean, why: string): string[] {
  return [...files]
    .filter(([file]) => !allowed(file))
    .flatMap(([file, text]) => {
      const [found] = pattern.exec(withoutComments(text)) ?? [];
      return found === undefined ? [] : [`src/${file} has "${found.trim()}": ${why}`];
    });
}

function importersOf(files: Sources, packageName: string): string[] {
  const isIt = ({ target }: { target: string }) => target === packageName || target.startsWith(`${packageName}/`);
  return [...files].filter(([file, text]) => importsOf(file, text).some(isIt)).map(([file]) => file);
}

describe('the walls of the house stand:', () => {
  test('there is a house', () => {
    for (const file of [...MAINS, 'protocol/wire.ts', 'protocol/tls.ts']) expect([...sources.keys()]).toContain(file);
  });

  test('server and peer do not know each other, and what they share knows neither', () => {
    expect(crossings(sources)).toEqual([]);
  });

  test('only the two mains read the command line and the environment', () => {
    const why = 'let main.ts read it and hand it over';
    expect(uses(sources, /\bprocess\.(argv|env)\b|= process;|['"]node:process['"]/, isMain, why)).toEqual([]);
  });

  test('only the faces, the two mains, and what starts them, write to the terminal', () => {
    const why = 'let src/peer/ui/, or a main, say it';
    const allowed = (file: string) => isMain(file) || isFace(file) || isStart(file);
    const writing = /\bprocess\.(stdout|stderr)\b|\bconsole\s*\.|\bwrite(File)?Sync\([12],/;
    expect(uses(sources, writing, allowed, why)).toEqual([]);
  });

  test('nothing starts another program, nor runs what is no part of this one', () => {
    const why = 'what was received must never come to be run';
    const running = /['"](node:)?(child_process|vm|cluster)['"]|\beval\(|new Function\(/;
    // It runs the pieces of this program and nothing else.
    expect(uses(sources, running, isStart, why)).toEqual([]);
  });

  test.each([
    ['protobufjs', (file: string) => file === 'protocol/schema.ts', 'only protocol/schema.ts'],
    ['blessed', isFace, 'only files in peer/ui/'],
    ['chalk', isFace, 'only files in peer/ui/'],
  ])('%s stays where it belongs', (name, allowed, where) => {
    const strays = importersOf(sources, name).filter((file) => !allowed(file));
    expect(strays, `${where} may import ${name}`).toEqual([]);
  });

  test.each(['conf', 'libsql', 'udx-native', 'node-forge', 'protobufjs', 'blessed', '@achingbrain/nat-port-mapper'])(
    'at most one file imports %s',
    (name) => {
      const importers = importersOf(sources, name);
      expect(
        importers.length,
        `imported by ${importers.join(', ')}: put what they need behind one of them`,
      ).toBeLessThan(2);
    },
  );

  test('no file needs itself, by whatever way round', () => {
    const drawn = importCycles(sources).map((cycle) => [...cycle, cycle[0]].map((file) => `src/${file}`).join(' → '));
    expect(drawn).toEqual([]);
  });

  test('every imported file is there, and every package is a dependency of the program', () => {
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    const named = Object.keys({ ...dependencies, ...optionalDependencies });
    const missing = [...sources].flatMap(([file, text]) =>
      importsOf(file, text)
        .filter(({ target, typeOnly }) => !typeOnly && !isBuiltin(target) && !sources.has(target))
        .filter(({ target }) => !named.some((name) => target === name || target.startsWith(`${name}/`)))
        .map(({ target }) => `src/${file} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('a hole in a wall is found:', () => {
  const house = (files: Record<string, string>): Sources => new Map(Object.entries(files));

  test('an import across, of whatever form', () => {
    const imports = [
      `import { a } from '../peer/a.js';`,
      `import type { A } from '../peer/a.js';`,
      `export * from '../peer/a.js';`,
      `import {\n  a,\n  b,\n} from '../peer/a.js';`,
      `import '../peer/a.js';`,
      `const a = await import('../peer/a.js');`,
      `import { x } from './x.js';\nexport { a } from '../peer/a.js';`,
    ];
    for (const text of imports) expect(crossings(house({ 'server/s.ts': text })), text).toHaveLength(1);
    expect(crossings(house({ 'protocol/p.ts': `import { s } from '../server/s.js';` }))).toEqual([
      'src/protocol/p.ts imports src/server/s.ts: move what both need to src/protocol/ or src/shared/',
    ]);
    expect(crossings(house({ 'server/s.ts': `// import { a } from '../peer/a.js';` }))).toEqual([]);
    expect(crossings(house({ 'peer/ui/u.ts': `import { s } from '../session/s.js';` }))).toEqual([]);
  });

  test('an environment variable, but not one in a comment', () => {
    const found = (text: string) => uses(house({ 'peer/x.ts': text }), /process\.env\b/, isMain, 'no');
    expect(found('const home = process.env.HOME;')).toEqual(['src/peer/x.ts has "process.env": no']);
    expect(found('// process.env is read in main\n/* process.env */')).toEqual([]);
  });

  test('a package, and a file inside a package', () => {
    const files = house({ 'a.ts': `import forge from 'node-forge';`, 'b.ts': `import 'node-forge/lib/x.js';` });
    expect(importersOf(files, 'node-forge')).toEqual(['a.ts', 'b.ts']);
    expect(importersOf(files, 'node')).toEqual([]);
  });

  test('a cycle, but not one of types alone', () => {
    const round = (back: string) =>
      house({ 'a.ts': `import { b } from './b.js';`, 'b.ts': `import { c } from './d/c.js';`, 'd/c.ts': back });
    expect(importCycles(round(`import { a } from '../a.js';`))).toEqual([['a.ts', 'b.ts', 'd/c.ts']]);
    expect(importCycles(round(`import type { A } from '../a.js';`))).toEqual([]);
    expect(importCycles(round(`import { type A, a } from '../a.js';`))).toHaveLength(1);
    expect(importCycles(house({ 'a.ts': `import './a.js';` }))).toEqual([['a.ts']]);
  });
});
