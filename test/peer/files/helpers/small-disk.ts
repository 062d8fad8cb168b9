import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { scratchFolder } from './scratch.js';

const possible = process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/bin/mount') && canMount();

/** A disk of its own, of a given size: only where this process may mount one. */
export const smallDisk = { possible, mount };

/** The disk's root folder. It goes away when the test has finished. */
function mount(bytes: number): string {
  const folder = scratchFolder();
  const { status, stderr } = tryMount(folder, bytes);
  if (status !== 0) throw new Error(`mount: ${stderr}`);
  onTestFinished(() => void spawnSync('umount', ['--lazy', folder]));
  return folder;
}

function canMount(): boolean {
  const mounted = tryMount('/mnt', 65_536).status === 0;
  if (mounted) spawnSync('umount', ['/mnt']);
  return mounted;
}

function tryMount(folder: string, bytes: number) {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { encoding: 'utf8' });
}
