import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

/**
 * src/ to dist/: each program in a few large files, parts that are seldom needed in files of their own. Reading and
 * resolving the many hundred small ones that they are made of took longer than all else that a program does at its start.
 * Types are not checked here: `npm run types` does that.
 */
const PROGRAMS = {
  peer: {
    main: 'main.ts',
    'library-worker': 'paths/port-mapping/library-worker.ts',
    'reader-worker': 'files/reader-worker.ts',
  },
  server: { main: 'main.ts' },
};

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync('dist', { recursive: true, force: true });
for (const [side, entries] of Object.entries(PROGRAMS)) {
  await build({
    input: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, `src/${side}/${file}`])),
    platform: 'node',
    // Machine code lies beside their own files; blessed reads its own terminal tables.
    external: ['libsql', 'udx-native', /^blessed/],
    transform: { target: 'node20.19' },
    // Every file lies as deep as the sources' main.ts, whose way to package.json and proto/ they keep.
    output: {
      dir: `dist/${side}`,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: '[name]-[hash].js',
      // Names stay, for whoever reads a stack trace; spaces and comments need not be parsed at each start.
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    },
    logLevel: 'warn',
  });
  chmodSync(`dist/${side}/main.js`, 0o755);
}
