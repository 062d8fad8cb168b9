/** One argument of a command line, and where it stands in it. */
export interface Word {
  value: string;
  start: number;
  end: number;
  /** The quote that is still open at the end of the line. */
  openQuote?: '"' | "'";
  /** Written with an unquoted `~` in front; `value` has the home folder in its place. */
  fromHome?: true;
}

/**
 * Splits a command's arguments as a shell would: at spaces, unless in '…' or "…" or behind a backslash. `~` at a
 * word's unquoted beginning is the home folder. An open quote runs to the end.
 */
export function splitWords(line: string, home: string): Word[] {
  const words: Word[] = [];
  let i = 0;
  for (;;) {
    while (line[i] === ' ' || line[i] === '\n' || line[i] === '\t') i += 1;
    if (i >= line.length) return words;
    const word = readWord(line, i);
    words.push(expandHome(word, line, home));
    i = word.end;
  }
}

/** Writes a path so that splitWords gives it back; `quote` is one that the person opened, and stays in use. */
export function quoteWord(path: string, quote?: '"' | "'"): string {
  if (quote === "'" && !path.includes("'")) return `'${path}'`;
  if (quote === '"' || quote === "'") return `"${path.replace(/["\\]/g, '\\$&')}"`;
  return path.replace(/[\s"'\\]/g, '\\$&').replace(/^~/, '\\~');
}

function readWord(line: string, start: number): Word {
  let value = '';
  let quote: '"' | "'" | undefined;
  let i = start;
  for (; i < line.length; i += 1) {
    const character = line.charAt(i);
    if (quote === undefined && /[ \n\t]/.test(character)) break;
    if (character === quote) quote = undefined;
    else if (quote === undefined && (character === '"' || character === "'")) quote = character;
    else if (character === '\\' && quote !== "'" && i + 1 < line.length) value += line.charAt(++i);
    else value += character;
  }
  return { value, start, end: i, ...(quote && { openQuote: quote }) };
}

function expandHome(word: Word, line: string, home: string): Word {
  const unquoted = line[word.start] === '~' && /^~(?:\/|$)/.test(word.value);
  return unquoted ? { ...word, value: home + word.value.slice(1), fromHome: true } : word;
}
