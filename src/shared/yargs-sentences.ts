/** In place of yargs's own sentences; the keys are theirs. */
export const SENTENCES = {
  'Not enough non-option arguments: got %s, need at least %s': {
    one: 'something is missing: %s of %s words given',
    other: 'something is missing: %s of %s words given',
  },
  'Missing required argument: %s': { one: 'an option is missing: --%s', other: 'options are missing: %s' },
  'Unknown argument: %s': { one: 'not understood: %s', other: 'not understood: %s' },
  'Unknown command: %s': { one: 'no such command: %s', other: 'no such commands: %s' },
  'Not enough arguments following: %s': 'the option --%s needs a value',
  'Show help': 'show this',
  'Show version number': 'show the version',
} as unknown as Record<string, string>;

/** yargs tells the names of unknown options without their dashes. */
export function asTyped(message: string, argv: readonly string[]): string {
  const [, names] = /^not understood: (.*)$/.exec(message) ?? [];
  if (names === undefined) return message;
  const typed = names.split(', ').map((name) => argv.find((word) => /^--?([^=]*)/.exec(word)?.[1] === name) ?? name);
  return `not understood: ${typed.join(' ')}`;
}
