import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { attributesBelow, noise, plant, survey } from '../peer/files/helpers/tree.js';
import type { Name } from '../support/pair.js';
import type { Random } from './random.js';

const KIB = 1024;

/** Files and folders that one side sends in one transfer, and what became of it. */
export interface Shipment {
  ref: string;
  from: Name;
  source: string;
  paths: string[];
  /** What has to lie at the other side in the end. */
  tree: Record<string, string>;
  /** Modes and times of what lies there, by path. */
  attributes: Record<string, string>;
  files: number;
  bytes: number;
  /** Both have told that it is in place, and it was found so. */
  landed: boolean;
}

/** Makes something new to send in `source`. */
export function pack(ref: string, from: Name, source: string, random: Random): Shipment {
  const content = random.pick([oneFile, oneFile, tree, bigFile])(random);
  plant(source, content);
  const sizes = Object.values(content).map(({ length }) => length);
  return {
    ref,
    from,
    source,
    paths: readdirSync(source).map((name) => join(source, name)),
    tree: survey(source),
    attributes: attributesBelow(source),
    files: Object.keys(content).filter((name) => !name.endsWith('/')).length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    landed: false,
  };
}

export function unpack({ source }: Shipment): void {
  rmSync(source, { recursive: true, force: true });
}

type Content = Record<string, Buffer | string>;

function oneFile(random: Random): Content {
  return { 'note.txt': some(random, random.pick([0, 1, 4 * KIB, 300 * KIB])) };
}

function bigFile(random: Random): Content {
  return { 'big.bin': some(random, random.between(2048, 12_288) * KIB) };
}

function tree(random: Random): Content {
  const content: Content = { 'tree/empty/': '', 'tree/nothing': '' };
  for (let count = random.between(2, 25); count > 0; count -= 1) {
    const folder = random.pick(['', 'a/', 'a/b/', 'c d/']);
    content[`tree/${folder}${count}.dat`] = some(random, random.between(0, 150) * KIB + count);
  }
  content['beside.txt'] = some(random, 100);
  return content;
}

function some(random: Random, bytes: number): Buffer {
  return noise(bytes, random.between(1, 2 ** 31));
}
