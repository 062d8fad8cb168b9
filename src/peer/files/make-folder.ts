import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { makeFolders } from '../../shared/make-folders.js';

/** Makes the folder and what is missing above it; their names are durable on return. */
export async function makeFolder(path: string): Promise<void> {
  const folder = resolve(path);
  const first = makeFolders(folder);
  if (first === undefined) return;
  const top = dirname(resolve(first));
  for (let parent = dirname(folder); parent.length >= top.length; parent = dirname(parent)) {
    await syncFolder(parent);
    if (parent === top) return;
  }
}

async function syncFolder(path: string): Promise<void> {
  // One may be allowed to write into a folder and not to read it; Windows opens none, and keeps names by itself.
  const folder = await open(path, 'r').catch(() => null);
  if (!folder) return;
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
