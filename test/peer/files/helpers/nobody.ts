const NOBODY = 65_534;

const euid = process.geteuid?.();

/**
 * Root may read everything: what is forbidden to a person can only be seen as somebody else. Where the tests run as an
 * ordinary user they are somebody else already.
 */
export const asNobody = { possible: euid !== undefined && process.platform !== 'win32', run };

async function run(use: () => Promise<void>): Promise<void> {
  if (euid === 0) process.seteuid?.(NOBODY);
  try {
    await use();
  } finally {
    if (euid === 0) process.seteuid?.(0);
  }
}
