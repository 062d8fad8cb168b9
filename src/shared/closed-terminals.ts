import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * Node sets the terminals that it was started in right again when it exits, and Node 20 aborts if one is gone by then:
 * unless nothing is open there any more. To be called at the start.
 */
export function tolerateClosedTerminals(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  });
}
