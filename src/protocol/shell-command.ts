/** A command for people to copy into their shell. `home`: what they named with --home, if they did. */
export function p2pCommand(words: readonly string[], home?: string): string {
  return ['p2p', ...words, ...(home === undefined ? [] : ['--home', home])]
    .map((word) => quoteForShell(word))
    .join(' ');
}

/** One word as a shell takes it: between quotes if it has more than letters, digits and signs that mean nothing to it. */
export function quoteForShell(word: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === 'win32') return /^[\p{L}\p{M}\p{N}_@:./\\,+-]+$/u.test(word) ? word : `"${word}"`;
  return /^[\p{L}\p{M}\p{N}_@:./,+-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
