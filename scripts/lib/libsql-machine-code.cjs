/**
 * In place of @neon-rs/load in what is bundled. To learn which C library there is, that one asks Node for a report of
 * the whole process, which takes longer than all else that libsql does when it is loaded.
 */
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');

exports.load = () => {
  const ours = createRequire(__filename);
  const name = `@libsql/${target()}`;
  try {
    return ours(name);
  } catch {
    // Where packages see no more than what they name themselves, only libsql sees it.
    return createRequire(ours.resolve('libsql'))(name);
  }
};

function target() {
  const libc = libcOfLinux();
  return libc === null ? require('../../node_modules/@neon-rs/load').currentTarget() : `linux-${process.arch}-${libc}`;
}

/** As its script to list what a program is linked with says, which lies there as a rule; null: ask elsewhere. */
function libcOfLinux() {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return null;
  try {
    const ldd = readFileSync('/usr/bin/ldd', 'latin1');
    if (ldd.includes('musl')) return 'musl';
    return ldd.includes('GNU C Library') ? 'gnu' : null;
  } catch {
    return null;
  }
}
