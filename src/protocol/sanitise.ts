// Escape sequences, other C0/C1 controls, the bidirectional overrides that make text read as what it is not, and the
// invisible characters that hide a difference between two names.
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * The one way for a string from outside (a message, a file name, an error from the other end) to a terminal or a log:
 * what a terminal would obey is replaced by U+FFFD; tabs become spaces, newlines stay.
 */
export function sanitise(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(LONE_SURROGATE, '\ufffd')
    .replace(UNSAFE, '\ufffd')
    .replaceAll('\t', '    ');
}

/** The same for what must stay on one line, such as a file name or a status. */
export function sanitiseLine(text: string): string {
  return sanitise(text).replaceAll('\n', '\ufffd');
}

/**
 * The same for JSON, where nothing need be lost: what a terminal would obey is spelt as an escape, which a reader of
 * JSON takes for the character itself. JSON.stringify escapes no more than the C0 controls.
 */
export function escapeInJson(json: string): string {
  return json.replace(UNSAFE, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
