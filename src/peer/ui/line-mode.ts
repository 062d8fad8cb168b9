import type { Readable } from 'node:stream';
import { sanitise, sanitiseLine } from '../../protocol/sanitise.js';
import type { Conversation } from '../session/conversation.js';
import type { MessageEvent, ProgressEvent, SessionEvent } from '../session/events.js';
import { type CommandDesk, runCommand } from './command-runner.js';
import { parseCommand } from './commands.js';
import { ConnectionTracker } from './connection-tracker.js';
import { type Face, newEnding } from './face.js';
import {
  formatClock,
  formatDay,
  formatDuration,
  formatPart,
  formatPercent,
  formatRate,
  receiptSign,
} from './format.js';
import { LineInput } from './line-input.js';
import type { InputLine } from './line-splitter.js';
import type { LiveOutput } from './live-printer.js';
import { newPainter, type Painter } from './paint.js';
import { QuietWatch } from './quiet-watch.js';
import { type Row, span } from './rows.js';
import { TransferBook, type TransferEntry } from './transfer-book.js';
import { eventLines, failureLines, type Lines, linesOf, offerLines, problemLines, transferTitle } from './wording.js';

export interface LineModeOptions {
  conversation: Conversation;
  input: Readable & { isTTY?: boolean };
  output: LiveOutput;
  colour: boolean;
  /** What `~` stands for, and where relative paths begin. */
  home: string;
  cwd: string;
}

const HISTORY_LINES = 10;
/** Between two lines about the same transfer. */
const CALM_MS = 5_000;
const INDENT = ' '.repeat(6);

/**
 * The face for a plain terminal or none: what happens is printed line by line, and lines are read, with the slash
 * commands of the full screen. The input's end means that no more is said; `done` then resolves when all is delivered.
 */
export function openLineMode(options: LineModeOptions): Face {
  return new LineMode(options);
}

class LineMode implements Face {
  readonly done: Promise<void>;
  readonly #finish: () => void;
  readonly #options: LineModeOptions;
  readonly #peerName: string;
  readonly #paint: Painter;
  readonly #book: TransferBook;
  readonly #connection: ConnectionTracker;
  readonly #watch: QuietWatch;
  readonly #unsubscribe: () => void;
  readonly #lines: LineInput;
  readonly #lastProgressMs = new Map<string, number>();
  #lastOwnId: string | undefined;
  #lastDay = '';

  constructor(options: LineModeOptions) {
    const { conversation, input, output } = options;
    const { done, finish } = newEnding();
    this.done = done;
    this.#finish = finish;
    this.#options = options;
    this.#peerName = sanitiseLine(conversation.peer().name);
    this.#paint = newPainter(options.colour);
    const { state, transfers } = conversation.status();
    this.#connection = new ConnectionTracker(state);
    this.#book = new TransferBook(transfers, state === 'connected');
    if (output.isTTY) this.#printHistory();
    this.#unsubscribe = conversation.subscribe((event) => this.#show(event));
    this.#watch = new QuietWatch(conversation, finish);
    output.on('error', finish);
    this.#lines = new LineInput(
      input,
      (line) => this.#takeLine(line),
      () => this.#watch.inputEnded(),
    );
  }

  stop(): void {
    this.#unsubscribe();
    this.#watch.stop();
    this.#lines.stop();
  }

  #show(event: SessionEvent): void {
    const isNews = this.#connection.record(event);
    const transfer = this.#book.record(event);
    switch (event.event) {
      case 'message':
        this.#showMessage(event);
        return;
      case 'delivered':
      case 'read':
        // One of many messages stands for all before it.
        if (event.id === this.#lastOwnId) this.#print([span(`${receiptSign(event.event)} ${event.event}`, 'dim')]);
        return;
      case 'offer':
        if (transfer) this.#say(offerLines(transfer, this.#peerName));
        return;
      case 'progress':
        if (transfer) this.#showProgress(transfer, event);
        return;
      default: {
        const lines = isNews ? eventLines(event, this.#peerName, transfer) : undefined;
        if (lines) this.#say(lines);
      }
    }
  }

  #showMessage(event: MessageEvent): void {
    const mine = event.from === 'me';
    if (mine) this.#lastOwnId = event.id;
    // On a terminal one's own line stands there already.
    if (mine && this.#options.input.isTTY) return;
    this.#printMessage(event);
    // A program that reads this output may be read by nobody.
    if (!mine && this.#options.output.isTTY) this.#markRead(event.id);
  }

  #markRead(id: string): void {
    try {
      this.#options.conversation.read([id]);
    } catch (error) {
      // Thrown into the session that told of the message, it would do harm there.
      this.#say(failureLines(error));
    }
  }

  #printMessage({ from, text, at }: Pick<MessageEvent, 'from' | 'text' | 'at'>): void {
    const who = from === 'me' ? span('me', 'me') : span(this.#peerName, 'peer');
    const [first = '', ...more] = sanitise(text).split('\n');
    this.#print([who, span(`: ${first}`)], new Date(at));
    // Set in, so that no message can pass for a line of ours.
    for (const line of more) this.#write([span(`${INDENT}${line}`)]);
  }

  #printHistory(): void {
    for (const line of this.#options.conversation.history(HISTORY_LINES)) {
      this.#printMessage(line);
    }
  }

  #showProgress(transfer: TransferEntry, { bytes, total, bytesPerSecond, etaSeconds }: ProgressEvent): void {
    const now = Date.now();
    const last = this.#lastProgressMs.get(transfer.transfer);
    this.#lastProgressMs.set(transfer.transfer, last === undefined || now - last >= CALM_MS ? now : last);
    // What is over in a moment needs no report on its way.
    if (last === undefined || now - last < CALM_MS) return;
    const left = etaSeconds === null ? '' : `, ${formatDuration(etaSeconds)} left`;
    const part = `${formatPercent(bytes, total)}, ${formatPart(bytes, total)}, ${formatRate(bytesPerSecond)}${left}`;
    this.#print([span(`${transferTitle(transfer)}: ${part}`, 'dim')]);
  }

  #say(lines: Lines): void {
    for (let i = 0; i < lines.count; i += 1) {
      if (i === 0) this.#print(lines.line(i));
      else this.#write([span(INDENT), ...lines.line(i)]);
    }
  }

  #print(row: Row, at = new Date()): void {
    const day = formatDay(at);
    if (this.#options.output.isTTY && day !== this.#lastDay) this.#write([span(`── ${day} ──`, 'dim')]);
    this.#lastDay = day;
    this.#write([span(`${formatClock(at)} `, 'dim'), ...row]);
  }

  #write(row: Row): void {
    if (this.#options.output.writable) this.#options.output.write(`${this.#paint(row)}\n`);
  }

  #takeLine(line: InputLine): void {
    if (line.kind === 'notUtf8') this.#say(problemLines('That line is not UTF-8', 'Nothing was sent.'));
    else if (line.kind === 'tooLong') this.#say(problemLines('That line is too long', 'Nothing was sent.'));
    else if (line.text.trim() !== '') {
      void this.#watch.during(runCommand(parseCommand(line.text, this.#options.home), this.#desk()));
    }
  }

  #desk(): CommandDesk {
    return {
      conversation: this.#options.conversation,
      book: this.#book,
      peerName: this.#peerName,
      cwd: this.#options.cwd,
      say: (lines) => this.#say(lines),
      clear: () => this.#say(linesOf([[span('There is no screen to clear here.', 'dim')]])),
      quit: this.#finish,
    };
  }
}
