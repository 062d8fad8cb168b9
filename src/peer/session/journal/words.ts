/**
 * Letters of scripts that put no spaces between words. Each is a word of its own, and what is searched for is a phrase
 * of them: so one or two characters are found in the middle of a sentence. Korean joins its particles to the words.
 */
const UNSPACED =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Bopomofo}\p{scx=Hangul}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]\p{M}*/gu;
/** No script stacks so many (UAX #15, section 13); putting thousands in order would take long, again and again. */
const MARKS_BEYOND_SENSE = /(\p{M}{30})\p{M}+/gu;
const LATIN_ACCENTS = /[\u0300-\u036f]/g;
const WORD = /[\p{L}\p{N}\p{M}]+|[\p{So}\p{Extended_Pictographic}]/gu;

/** The words that a text is found by: without case, accents, punctuation, or compatibility forms such as full width. */
export function wordsOf(text: string): string[] {
  const streamSafe = text.replace(MARKS_BEYOND_SENSE, '$1');
  const plain = streamSafe.normalize('NFKD').replace(LATIN_ACCENTS, '').normalize('NFKC').toLowerCase();
  return plain.replace(UNSPACED, ' $& ').match(WORD) ?? [];
}

/**
 * What a person typed, as an FTS5 query: texts that have, for each part between spaces, its words in a row, the last
 * one as a beginning. null if there is no word in it. Nothing of FTS5's own syntax can come through: words hold none of
 * its signs, and stand in quotes.
 */
export function wordQuery(typed: string): string | null {
  const phrases = typed
    .split(/\s+/u)
    .map(wordsOf)
    .filter((words) => words.length > 0);
  return phrases.length === 0 ? null : phrases.map((words) => `"${words.join(' ')}"*`).join(' ');
}

/** Whether each word typed begins a word of `text`: the same search without an index. */
export function hasWords(text: string, typed: string): boolean {
  const words = wordsOf(text);
  const wanted = wordsOf(typed);
  return wanted.length > 0 && wanted.every((beginning) => words.some((word) => word.startsWith(beginning)));
}
