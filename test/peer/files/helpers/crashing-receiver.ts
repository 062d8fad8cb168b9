/**
 * A process that receives a transfer and may kill itself with SIGKILL right before one of the steps that change the
 * disk. Its one argument is a CrashPlan; it prints the path of each received file, and 'done <steps>' at the end.
 */
import fs, { existsSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Confinement } from '../../../../src/peer/files/folder.js';
import type { LocalManifest } from '../../../../src/peer/files/manifest.js';
import { ReaderThread } from '../../../../src/peer/files/reader-thread.js';
import { Receiving } from '../../../../src/peer/files/receiving.js';
// Here it does nothing: this has it compiled.
import '../../../../src/peer/files/reader-worker.js';
import { Sending } from '../../../../src/peer/files/sending.js';
import { hand, handTogether } from './hand.js';
import { ownPieces } from './pieces.js';

export interface CrashPlan {
  manifest: LocalManifest;
  into: string;
  /** Where the notes are kept. */
  notes: string;
  /** The step before which to die, counted from 1; 0: never. */
  dieBefore: number;
  confinement: Confinement;
  /** False: as on a file system without hard links. */
  links: boolean;
  /** Files that follow each other are handed over together. */
  together?: boolean;
}

const plan: CrashPlan = JSON.parse(readFileSync(0, 'utf8'));
// Not to be counted as steps of their own.
const { renameSync, writeFileSync } = fs;
let steps = 0;

function step(): void {
  steps++;
  if (steps === plan.dieBefore) process.kill(process.pid, 'SIGKILL');
}

/** Replaces `target[name]` by itself with a step before it. */
function watch<T extends object, K extends keyof T>(target: T, name: K): void {
  const original = target[name] as (...args: unknown[]) => unknown;
  target[name] = function (this: unknown, ...args: unknown[]) {
    step();
    return original.apply(this, args);
  } as T[K];
}

function watchDisk(): void {
  if (!plan.links) {
    fs.linkSync = () => {
      throw Object.assign(new Error('no links here'), { code: 'EPERM', syscall: 'link' });
    };
  }
  for (const name of ['openSync', 'mkdirSync', 'linkSync', 'unlinkSync', 'renameSync'] as const) watch(fs, name);
  for (const name of ['fsyncSync', 'writeSync', 'fchmodSync', 'futimesSync', 'ftruncateSync', 'closeSync'] as const) {
    watch(fs, name);
  }
  syncBuiltinESMExports();
}

const store = {
  load: () => (existsSync(plan.notes) ? readFileSync(plan.notes, 'utf8') : ''),
  save: (json: string) => {
    step();
    writeFileSync(`${plan.notes}.new`, json);
    renameSync(`${plan.notes}.new`, plan.notes);
  },
};

const { entries, sources } = plan.manifest;
const { into, confinement } = plan;
const { signal } = new AbortController();
watchDisk();
const receiving = await Receiving.open({ transfer: '', entries, into, store, signal, confinement });
for (const file of receiving.recovered) console.log(file.path);
const reader = new ReaderThread();
const sending = new Sending({ entries, sources, reader });
const pieces = ownPieces(sending, await receiving.want(), signal);
if (plan.together) await handTogether(pieces, receiving, (file) => console.log(file.path));
else {
  for await (const piece of pieces) {
    const file = await hand(piece, receiving);
    if (file) console.log(file.path);
  }
}
await receiving.complete();
await sending.close();
await reader.stop();
console.log(`done ${steps}`);
