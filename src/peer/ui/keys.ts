import { StringDecoder } from 'node:string_decoder';

/** What the person did at the terminal. */
export type KeyEvent =
  | { type: 'text'; text: string }
  /** A key by its name, with modifiers in front in this order: `ctrl-alt-shift-left`. */
  | { type: 'key'; name: string }
  | { type: 'paste'; text: string }
  | { type: 'focus'; focused: boolean }
  | { type: 'wheel'; direction: 'up' | 'down' };

const PASTE_START = '\x1b[200~';
const PASTE_END = '\x1b[201~';
/** Whatever is pasted beyond this is dropped. */
const MAX_PASTE = 1024 * 1024;
/** No real sequence is longer; what is, is noise. */
const MAX_SEQUENCE = 64;

const FINAL_NAMES: Record<string, string> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  F: 'end',
  H: 'home',
  M: 'enter',
  Z: 'shift-tab',
  a: 'shift-up',
  b: 'shift-down',
  c: 'ctrl-right',
  d: 'ctrl-left',
};
const TILDE_NAMES: Record<string, string> = {
  1: 'home',
  2: 'insert',
  3: 'delete',
  4: 'end',
  5: 'pageup',
  6: 'pagedown',
  7: 'home',
  8: 'end',
};
const CODE_NAMES: Record<string, string> = { 9: 'tab', 13: 'enter', 27: 'escape', 32: 'space', 127: 'backspace' };
const CONTROL_NAMES: Record<string, string> = {
  '\b': 'backspace',
  '\t': 'tab',
  '\n': 'ctrl-j',
  '\r': 'enter',
  '\x7f': 'backspace',
  '\0': 'ctrl-space',
};

/**
 * Turns a terminal's bytes into key events, whatever pieces they arrive in. blessed's own decoder knows neither
 * bracketed paste nor focus, and breaks a sequence that is split between two reads.
 */
export class KeyDecoder {
  readonly #utf8 = new StringDecoder('utf8');
  #pending = '';
  #pasted: string | undefined;

  /** Whether the bytes so far end in what may be a sequence or a lone Escape: only flush() can tell. */
  get undecided(): boolean {
    return this.#pending !== '' && this.#pasted === undefined;
  }

  feed(bytes: Buffer): KeyEvent[] {
    this.#pending += this.#utf8.write(bytes);
    const events: KeyEvent[] = [];
    while (this.#pending !== '') {
      const used = this.#pasted === undefined ? this.#takeOne(events) : this.#takePaste(events);
      if (used === 0) break;
      this.#pending = this.#pending.slice(used);
    }
    return joinText(events);
  }

  /** Nothing more came for a while: an Escape that waits was the Escape key; half a sequence was noise. */
  flush(): KeyEvent[] {
    if (!this.undecided) return [];
    const alone = this.#pending === '\x1b';
    this.#pending = '';
    return alone ? [{ type: 'key', name: 'escape' }] : [];
  }

  /** Takes one event from the front and returns the characters used; 0: more are needed. */
  #takeOne(events: KeyEvent[]): number {
    const text = this.#pending;
    if (text.startsWith(PASTE_START)) {
      this.#pasted = '';
      return PASTE_START.length;
    }
    if (text[0] === '\x1b') return takeEscape(text, events);
    const character = String.fromCodePoint(text.codePointAt(0) ?? 0);
    events.push(characterEvent(character));
    return character.length;
  }

  #takePaste(events: KeyEvent[]): number {
    const text = this.#pending;
    const end = text.indexOf(PASTE_END);
    // The end mark may itself be cut in two: its possible beginning waits.
    const upTo = end >= 0 ? end : Math.max(0, text.length - PASTE_END.length + 1);
    const soFar = (this.#pasted ?? '') + text.slice(0, upTo);
    this.#pasted = soFar.slice(0, MAX_PASTE);
    if (end < 0) return upTo;
    events.push({ type: 'paste', text: this.#pasted });
    this.#pasted = undefined;
    return end + PASTE_END.length;
  }
}

function takeEscape(text: string, events: KeyEvent[]): number {
  const next = text[1];
  if (next === undefined) return 0;
  if (next === '[' || next === 'O') return takeSequence(text, events);
  if (next === '\x1b') {
    events.push({ type: 'key', name: 'escape' });
    return 1;
  }
  const character = String.fromCodePoint(text.codePointAt(1) ?? 0);
  const event = characterEvent(character);
  const name = event.type === 'key' ? event.name : character;
  events.push({ type: 'key', name: name.startsWith('ctrl-') ? `ctrl-alt-${name.slice(5)}` : `alt-${name}` });
  return 1 + character.length;
}

function takeSequence(text: string, events: KeyEvent[]): number {
  const legacyMouse = text.startsWith('\x1b[M');
  if (legacyMouse) {
    if (text.length < 6) return 0;
    pushWheel(text.charCodeAt(3) - 32, events);
    return 6;
  }
  const match = /^\x1b(?:O([a-zA-Z])|\[(\[?[0-9:;<=>?]*)[ -/]*([@-~]))/.exec(text);
  if (!match) return text.length > MAX_SEQUENCE || /^\x1b(?:O|\[)[^ -~]/.test(text) ? 2 : 0;
  const [whole, single, parameters = '', final = ''] = match;
  const event = single === undefined ? controlSequence(parameters, final) : singleShift(single);
  if (event) events.push(event);
  return whole.length;
}

function singleShift(final: string): KeyEvent | undefined {
  const name = FINAL_NAMES[final];
  return name ? { type: 'key', name } : undefined;
}

function controlSequence(parameters: string, final: string): KeyEvent | undefined {
  if (parameters.startsWith('<')) return wheelEvent(Number.parseInt(parameters.slice(1), 10), final);
  if (parameters === '' && (final === 'I' || final === 'O')) return { type: 'focus', focused: final === 'I' };
  // Answers of the terminal about itself, and the Linux console's function keys.
  if (/^[?>=[]/.test(parameters)) return undefined;
  const [first = '', second = '', third = ''] = parameters.split(';');
  // xterm's modifyOtherKeys and kitty's keyboard protocol.
  if (final === '~' && first === '27') return namedKey(CODE_NAMES[third], second);
  if (final === 'u') return namedKey(CODE_NAMES[first], second);
  if (final === '~') return namedKey(TILDE_NAMES[first], second);
  return namedKey(FINAL_NAMES[final], second);
}

function namedKey(name: string | undefined, modifier: string): KeyEvent | undefined {
  if (name === undefined) return undefined;
  const bits = Math.max(0, Number.parseInt(modifier || '1', 10) - 1);
  const prefix = `${bits & 4 ? 'ctrl-' : ''}${bits & 2 ? 'alt-' : ''}${bits & 1 ? 'shift-' : ''}`;
  return { type: 'key', name: prefix + name };
}

function pushWheel(button: number, events: KeyEvent[]): void {
  const event = wheelEvent(button, 'M');
  if (event) events.push(event);
}

function wheelEvent(button: number, final: string): KeyEvent | undefined {
  if (final !== 'M' || (button & 64) === 0 || (button & 3) > 1) return undefined;
  return { type: 'wheel', direction: (button & 1) === 0 ? 'up' : 'down' };
}

function characterEvent(character: string): KeyEvent {
  const name = CONTROL_NAMES[character];
  if (name) return { type: 'key', name };
  const code = character.charCodeAt(0);
  if (code < 0x1b) return { type: 'key', name: `ctrl-${String.fromCharCode(code + 0x60)}` };
  if (code < 0x20) return { type: 'key', name: `ctrl-${String.fromCharCode(code + 0x40)}` };
  return { type: 'text', text: character };
}

function joinText(events: KeyEvent[]): KeyEvent[] {
  const joined: KeyEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (event.type === 'text' && last?.type === 'text') last.text += event.text;
    else joined.push(event);
  }
  return joined;
}
