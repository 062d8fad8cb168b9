import { splitWords } from './shell-words.js';

/** What a line that the person entered asks for. */
export type Command =
  | { kind: 'text'; text: string }
  | { kind: 'send'; paths: string[] }
  | { kind: 'accept'; number?: number; into?: string }
  | { kind: 'decline' | 'cancel'; number?: number }
  | { kind: 'search'; text: string }
  /** `same`: what the person heard, once they have compared. */
  | { kind: 'verify'; same?: boolean }
  /** Neither: how it stands. */
  | { kind: 'disappear'; seconds?: number; agree?: boolean }
  | { kind: 'follow' | 'path' | 'clear' | 'help' | 'quit' }
  /** It cannot be done as written; the sentence says why and what to write instead. */
  | { kind: 'mistake'; sentence: string };

export interface CommandHelp {
  name: string;
  usage: string;
  meaning: string;
}

export const COMMANDS: readonly CommandHelp[] = [
  { name: 'send', usage: '/send PATH…', meaning: 'offer files and folders; Tab completes paths' },
  { name: 'accept', usage: '/accept [N] [INTO]', meaning: 'take what is offered, into a folder of your choice' },
  { name: 'decline', usage: '/decline [N]', meaning: 'refuse what is offered' },
  { name: 'cancel', usage: '/cancel [N]', meaning: 'end a transfer or take an offer back' },
  { name: 'verify', usage: '/verify [yes]', meaning: 'words to read to each other; yes: they are the same' },
  {
    name: 'disappear',
    usage: '/disappear 1h',
    meaning: 'propose that messages go that long after delivery; yes, no, off',
  },
  {
    name: 'follow',
    usage: '/follow',
    meaning: 'know the other by a new key from now on, once you have asked by voice',
  },
  { name: 'search', usage: '/search TEXT', meaning: 'find in what was said' },
  { name: 'path', usage: '/path', meaning: 'how the two of you are connected' },
  { name: 'clear', usage: '/clear', meaning: 'empty the screen; the history stays' },
  { name: 'help', usage: '/help', meaning: 'this list' },
  { name: 'quit', usage: '/quit', meaning: 'leave' },
];

/** `home` is what `~` stands for in paths. A line beginning with // is text beginning with one slash. */
export function parseCommand(line: string, home: string): Command {
  if (line.startsWith('//')) return { kind: 'text', text: line.slice(1) };
  if (!line.startsWith('/')) return { kind: 'text', text: line };
  const name = /^\/(\S*)/.exec(line)?.[1] ?? '';
  const rest = line.slice(name.length + 1);
  switch (name) {
    case 'send':
      return parseSend(rest, home);
    case 'accept':
      return parseAccept(rest, home);
    case 'decline':
    case 'cancel':
      return parseNumbered(name, rest);
    case 'search':
      return rest.trim() === '' ? mistake('Write what to look for: /search TEXT') : { kind: name, text: rest.trim() };
    case 'disappear':
      return parseDisappear(rest.trim());
    case 'verify':
      return parseVerify(rest.trim());
    case 'follow':
    case 'path':
    case 'clear':
    case 'help':
    case 'quit':
      return rest.trim() === '' ? { kind: name } : mistake(`/${name} stands alone`);
    default:
      return mistake(unknownCommand(name));
  }
}

function parseSend(rest: string, home: string): Command {
  const paths = splitWords(rest, home).map((word) => word.value);
  return paths.length === 0 ? mistake('Write what to send: /send PATH…') : { kind: 'send', paths };
}

function parseAccept(rest: string, home: string): Command {
  const words = splitWords(rest, home).map((word) => word.value);
  const number = parseNumber(words[0]);
  const [into, ...more] = number === undefined ? words : words.slice(1);
  if (more.length > 0) return mistake('A folder whose name has spaces goes in quotes: /accept 1 "My Files"');
  return { kind: 'accept', ...(number !== undefined && { number }), ...(into !== undefined && { into }) };
}

function parseNumbered(kind: 'decline' | 'cancel', rest: string): Command {
  const word = rest.trim();
  if (word === '') return { kind };
  const number = parseNumber(word);
  return number === undefined ? mistake(`Write the transfer's number: /${kind} 1`) : { kind, number };
}

function parseVerify(word: string): Command {
  if (word === '') return { kind: 'verify' };
  if (word === 'yes' || word === 'no') return { kind: 'verify', same: word === 'yes' };
  return mistake('Write /verify for the words, then /verify yes if both of you read the same');
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;

function parseDisappear(word: string): Command {
  if (word === '') return { kind: 'disappear' };
  if (word === 'yes' || word === 'no') return { kind: 'disappear', agree: word === 'yes' };
  if (word === 'off') return { kind: 'disappear', seconds: 0 };
  const [, number, unit] = /^([1-9][0-9]{0,7}) ?([smhdw])$/.exec(word) ?? [];
  if (unit === undefined) return mistake('Write a time such as /disappear 30m, 1h or 7d; or off, yes or no');
  return { kind: 'disappear', seconds: Number(number) * SECONDS[unit as keyof typeof SECONDS] };
}

function parseNumber(word: string | undefined): number | undefined {
  return word !== undefined && /^[1-9][0-9]{0,5}$/.test(word) ? Number(word) : undefined;
}

function mistake(sentence: string): Command {
  return { kind: 'mistake', sentence };
}

function unknownCommand(name: string): string {
  const nearest = nearestCommand(name);
  const suggestion = nearest ? `Did you mean /${nearest}?` : '/help lists the commands.';
  const shown = name.length > 20 ? `${name.slice(0, 20)}…` : name;
  return `There is no /${shown}. ${suggestion} Text that begins with a slash is written with two: //`;
}

/** The command that is one slip of the finger or two away, or that the word begins. */
function nearestCommand(word: string): string | undefined {
  const wanted = word.toLowerCase();
  if (wanted === '' || wanted.length > 20) return undefined;
  const begun = COMMANDS.find((command) => command.name.startsWith(wanted));
  if (begun) return begun.name;
  const ranked = COMMANDS.map(({ name }) => ({ name, distance: editDistance(wanted, name) }));
  const best = ranked.reduce((a, b) => (b.distance < a.distance ? b : a));
  return best.distance <= Math.min(2, Math.floor(best.name.length / 2)) ? best.name : undefined;
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, fromA] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, fromB] of Array.from(b).entries()) {
      const replaced = (row[j] ?? 0) + (fromA === fromB ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
