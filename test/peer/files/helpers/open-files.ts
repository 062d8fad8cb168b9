import { existsSync, readdirSync, readlinkSync } from 'node:fs';

/** What this process holds open, where the system tells. */
export const openFiles = { known: existsSync('/proc/self/fd'), below };

function below(folder: string): string[] {
  const paths = readdirSync('/proc/self/fd').flatMap((fd) => {
    // The listing itself was open when it was made.
    const path = existsSync(`/proc/self/fd/${fd}`) ? readlinkSync(`/proc/self/fd/${fd}`) : '';
    return path === folder || path.startsWith(`${folder}/`) ? [path] : [];
  });
  return paths.sort();
}
