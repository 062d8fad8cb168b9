import { existsSync, readdirSync, readlinkSync } from 'node:fs';

/** What this process holds open, where the system tells. */
export const openFiles = { known: existsSync('/proc/self/fd'), below };

function below(folder: string): string[] {
  const paths = readdirSync('/proc/self/fd').map(pathOf);
  return paths.filter((path) => path === folder || path.startsWith(`${folder}/`)).sort();
}

function pathOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // Closed since, as that of the listing was; other threads close files at any moment.
    return '';
  }
}
