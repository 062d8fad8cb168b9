import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const REPOSITORY = resolve(import.meta.dirname, '../..');

export interface Compiled {
  /** The JavaScript made of the entry file. */
  file: string;
  remove(): Promise<void>;
}

/** Compiles a TypeScript file of this repository, and what it imports, so that plain node can run it as a process. */
export async function compileForNode(entry: string): Promise<Compiled> {
  const folder = await mkdtemp(join(tmpdir(), 'turbo-beep-compiled-'));
  const compilerOptions = { noEmit: false, noCheck: true, rootDir: REPOSITORY, outDir: folder };
  const settings = {
    extends: join(REPOSITORY, 'tsconfig.json'),
    compilerOptions,
    files: [join(REPOSITORY, entry)],
    include: [],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await symlink(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  const tsc = join(REPOSITORY, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', folder]);
  return { file: join(folder, entry.replace(/\.ts$/, '.js')), remove: () => rm(folder, { recursive: true }) };
}
