import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { keepCode } from './lib/keep-code.mjs';
import { staticSchemaPlugin } from './lib/static-schema.mjs';

/**
 * src/ to dist/: each program in a few large pieces, parts that are seldom needed in pieces of their own. Reading and
 * resolving the many hundred small files that they are made of took longer than all else that a program does at its
 * start. Types are not checked here: `npm run types` does that.
 */
const PROGRAMS = {
  peer: {
    main: 'main.ts',
    workers: {
      'library-worker': 'paths/port-mapping/library-worker.ts',
      'reader-worker': 'files/reader-worker.ts',
      'receiving-worker': 'files/receiving-worker.ts',
    },
  },
  server: { main: 'main.ts', workers: {} },
};

/** src/start.ts calls each piece. */
const PIECE = { postBanner: '(function(exports,require,__filename,__dirname){', postFooter: '})' };

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync('dist', { recursive: true, force: true });
for (const [side, { main, workers }] of Object.entries(PROGRAMS)) {
  const dir = `dist/${side}`;
  await bundle(dir, { program: `src/${side}/${main}` }, PIECE);
  await bundle(dir, { main: 'src/start.ts' }, { codeSplitting: false });
  for (const [name, file] of Object.entries(workers)) {
    await bundle(dir, { [name]: `src/${side}/${file}` }, { codeSplitting: false });
  }
  chmodSync(`${dir}/main.js`, 0o755);
}
// Loading them as modules would cost 10 ms more.
writeFileSync('dist/package.json', '{ "type": "commonjs" }\n');
await keepCode().catch((error) => console.warn(`Built, but the programs start slower than they could: ${error}`));

function bundle(dir, input, output) {
  return build({
    input,
    platform: 'node',
    plugins: [staticSchemaPlugin()],
    // Machine code lies beside their own files; blessed reads its own terminal tables.
    external: [/^udx-native/, /^blessed/],
    resolve: {
      alias: {
        'string-width': resolve('scripts/lib/late-string-width.cjs'),
        assert: resolve('scripts/lib/small-assert.cjs'),
        'node:assert': resolve('scripts/lib/small-assert.cjs'),
        semver: resolve('scripts/lib/late-semver.cjs'),
        '@neon-rs/load': resolve('scripts/lib/libsql-machine-code.cjs'),
        'detect-libc': false,
        // conf loads them in any case; we give it no schema to check.
        'ajv/dist/2020.js': false,
        'ajv-formats': false,
      },
    },
    transform: {
      target: 'node20.19',
      // Lets libsql leave it to @neon-rs/load to find its machine code.
      define: { 'process.env.LIBSQL_JS_DEV': '"true"' },
    },
    // yargs asks for it only where a configuration file extends another one.
    checks: { emptyImportMeta: false },
    // Every file lies as deep as the sources' main.ts, whose way to package.json and proto/ they keep.
    output: {
      dir,
      format: 'cjs',
      dynamicImportInCjs: false,
      strict: true,
      entryFileNames: '[name].js',
      chunkFileNames: '[name]-[hash].js',
      // Names stay, for whoever reads a stack trace; spaces and comments need not be parsed at each start.
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true, asciiOnly: true } },
      ...output,
    },
    logLevel: 'warn',
  });
}
