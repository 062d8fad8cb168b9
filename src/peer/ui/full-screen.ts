import { sanitise } from '../../protocol/sanitise.js';
import type { Conversation } from '../session/conversation.js';
import type { SessionEvent } from '../session/events.js';
import { Canvas } from './canvas.js';
import { ChatModel } from './chat-model.js';
import { type CommandDesk, runCommand } from './command-runner.js';
import { parseCommand } from './commands.js';
import { complete } from './completion.js';
import { type Face, newEnding } from './face.js';
import { EDITING_KEYS } from './key-bindings.js';
import { KeyDecoder, type KeyEvent } from './keys.js';
import { enterLine, forgetLine, insert, type LineEditor, newEditor, setText } from './line-editor.js';
import { viewScreen } from './screen-view.js';
import { TerminalGuard } from './terminal-guard.js';

export interface FullScreenOptions {
  conversation: Conversation;
  /** Both a terminal. */
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
  /** TERM, as the environment has it. */
  term: string | undefined;
  colour: boolean;
  /** What `~` stands for, and where relative paths begin. */
  home: string;
  cwd: string;
}

/** An Escape followed by nothing for this long is the key; the rest of a sequence comes sooner. */
const ESCAPE_WAIT_MS = 50;
/** Round-trip time and outbox change without an event. */
const REFRESH_MS = 2_000;
/** Redrawn at most this often, whatever floods in. */
const FRAME_MS = 25;
const WHEEL_ROWS = 3;

/** Whether a full screen can be drawn on such a terminal at all. */
export function suitsFullScreen(term: string | undefined): boolean {
  return term !== undefined && !['', 'dumb', 'unknown'].includes(term);
}

/** Opens the full-screen chat. The caller quits the session when `done` resolves, and stops the face at the end. */
export function openFullScreen(options: FullScreenOptions): Face {
  return new FullScreen(options);
}

class FullScreen implements Face {
  readonly done: Promise<void>;
  readonly #finish: () => void;
  readonly #options: FullScreenOptions;
  readonly #model: ChatModel;
  readonly #canvas: Canvas;
  readonly #guard: TerminalGuard;
  readonly #decoder = new KeyDecoder();
  readonly #unsubscribe: () => void;
  readonly #refresh: NodeJS.Timeout;
  #escapeTimer: NodeJS.Timeout | undefined;
  #drawTimer: NodeJS.Timeout | undefined;
  #lastDrawMs = 0;
  #editor: LineEditor;
  #choices: string[] = [];
  #page = 1;
  #ended = false;

  constructor(options: FullScreenOptions) {
    const { done, finish } = newEnding();
    this.done = done;
    this.#finish = finish;
    this.#options = options;
    this.#model = new ChatModel(options.conversation);
    this.#editor = newEditor(this.#model.written);
    const { output, colour, term } = options;
    this.#canvas = new Canvas({ output, colour, manyColours: /256|direct|kitty|foot|ghostty/.test(term ?? '') });
    this.#guard = new TerminalGuard({
      input: options.input,
      output,
      enter: () => this.#canvas.enter(),
      leave: () => this.#canvas.leave(),
      onInput: (bytes) => this.#read(bytes),
      onResume: () => this.#drawSoon(),
      onEnd: finish,
    });
    this.#guard.start();
    this.#canvas.onResize(() => this.#draw());
    this.#unsubscribe = options.conversation.subscribe((event) => this.#show(event));
    this.#refresh = setInterval(() => this.#drawSoon(), REFRESH_MS).unref();
    this.#draw();
  }

  stop(): void {
    this.#ended = true;
    this.#unsubscribe();
    clearInterval(this.#refresh);
    clearTimeout(this.#escapeTimer);
    clearTimeout(this.#drawTimer);
    this.#guard.stop();
    this.#canvas.destroy();
  }

  #show(event: SessionEvent): void {
    if (event.event === 'bye') this.#ended = true;
    if (event.event === 'disappeared') this.#forget(event.id);
    const calls = this.#model.show(event, this.#canvas.columns);
    if (calls && this.#guard.holding && this.#model.attention.shouldRing(Date.now()))
      this.#options.output.write('\x07');
    this.#drawSoon();
  }

  /** What was written and is to disappear must not come back with the Up key either. */
  #forget(id: string): void {
    const text = this.#model.transcript.textOf(id);
    if (text !== undefined) this.#editor = forgetLine(this.#editor, (line) => sanitise(line) === text);
  }

  #read(bytes: Buffer): void {
    clearTimeout(this.#escapeTimer);
    for (const event of this.#decoder.feed(bytes)) this.#obey(event);
    if (!this.#decoder.undecided) return;
    this.#escapeTimer = setTimeout(() => {
      for (const event of this.#decoder.flush()) this.#obey(event);
    }, ESCAPE_WAIT_MS);
  }

  #obey(event: KeyEvent): void {
    if (event.type !== 'focus') {
      this.#model.attention.touched();
      this.#choices = [];
    }
    if (event.type === 'focus') this.#model.attention.focused = event.focused;
    else if (event.type === 'text' || event.type === 'paste') this.#editor = insert(this.#editor, event.text);
    else if (event.type === 'wheel') this.#scroll(event.direction === 'up' ? WHEEL_ROWS : -WHEEL_ROWS);
    else this.#press(event.name);
    this.#drawSoon();
  }

  #press(name: string): void {
    // As a shell takes it: the end of the input, where there is nothing to delete.
    if (name === 'ctrl-d' && this.#editor.text === '') {
      this.#finish();
      return;
    }
    const edit = EDITING_KEYS[name];
    if (edit) {
      this.#editor = edit(this.#editor);
      return;
    }
    switch (name) {
      case 'enter':
        void this.#enter();
        break;
      case 'tab':
        void this.#complete();
        break;
      case 'pageup':
        this.#scroll(this.#page - 1);
        break;
      case 'pagedown':
        this.#scroll(1 - this.#page);
        break;
      case 'ctrl-home':
        this.#scroll(Number.MAX_SAFE_INTEGER);
        break;
      case 'ctrl-end':
      case 'escape':
        this.#model.offset = 0;
        break;
      case 'ctrl-l':
        this.#canvas.forget();
        break;
      case 'ctrl-z':
        this.#guard.suspend();
        break;
      case 'ctrl-c':
        this.#finish();
        break;
      default:
    }
  }

  #scroll(rows: number): void {
    this.#model.scroll(rows, this.#canvas.columns, this.#page);
  }

  async #enter(): Promise<void> {
    const line = this.#editor.text;
    if (line.trim() === '') return;
    this.#editor = enterLine(this.#editor);
    const isDone = await runCommand(parseCommand(line, this.#options.home), this.#desk());
    if (!isDone && this.#editor.text === '') this.#editor = setText(this.#editor, line);
    this.#drawSoon();
  }

  async #complete(): Promise<void> {
    const { text, cursor } = this.#editor;
    const completion = await complete(text, cursor, this.#options);
    // The person may have typed on while the folder was read.
    if (this.#editor.text !== text || this.#editor.cursor !== cursor) return;
    this.#editor = setText(this.#editor, completion.text, completion.cursor);
    this.#choices = completion.choices;
    this.#drawSoon();
  }

  #desk(): CommandDesk {
    const { conversation, cwd } = this.#options;
    const { book, peerName } = this.#model;
    return {
      conversation,
      book,
      peerName,
      cwd,
      say: (lines) => this.#model.answer(lines, this.#canvas.columns, this.#page),
      clear: () => this.#model.clear(),
      quit: this.#finish,
    };
  }

  #drawSoon(): void {
    const waitMs = Math.max(0, this.#lastDrawMs + FRAME_MS - Date.now());
    this.#drawTimer ??= setTimeout(() => this.#draw(), waitMs);
  }

  #draw(): void {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = undefined;
    if (!this.#guard.holding || this.#ended) return;
    this.#lastDrawMs = Date.now();
    const { transcript, offset, newBelow, book, peerName } = this.#model;
    const view = viewScreen(
      {
        status: this.#model.status(),
        transcript,
        offset,
        newBelow,
        transfers: book.list(),
        editor: this.#editor,
        choices: this.#choices,
        peerName,
      },
      this.#canvas.columns,
      this.#canvas.height,
    );
    this.#model.offset = view.offset;
    this.#page = view.page;
    this.#canvas.draw(view.rows, view.cursor);
    this.#model.acknowledge();
  }
}
