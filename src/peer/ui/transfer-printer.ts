import { sanitiseLine } from '../../protocol/sanitise.js';
import type { Conversation } from '../session/conversation.js';
import type { ProgressEvent, SessionEvent } from '../session/events.js';
import { ConnectionTracker } from './connection-tracker.js';
import { FileProgressReader, fileProgressRow } from './file-progress.js';
import { type LiveOutput, LivePrinter } from './live-printer.js';
import { span, wrapRow } from './rows.js';
import { TransferBook, type TransferEntry } from './transfer-book.js';
import { eventLines, type Lines, offerLines, transferTitle } from './wording.js';

const ANSWER_COLUMNS = 5;

/** Prints what happens to the transfers of a one-purpose command, a progress line for each file. */
export class TransferPrinter {
  readonly #peerName: string;
  readonly #printer: LivePrinter;
  readonly #book: TransferBook;
  readonly #connection: ConnectionTracker;
  readonly #unsubscribe: () => void;
  readonly #readers = new Map<string, FileProgressReader>();
  #showing: { name: string; progress: ProgressEvent; entry: TransferEntry } | undefined;

  constructor(conversation: Conversation, output: LiveOutput, colour: boolean) {
    this.#peerName = sanitiseLine(conversation.peer().name);
    this.#printer = new LivePrinter(output, colour);
    const { state, transfers } = conversation.status();
    this.#book = new TransferBook(transfers, state === 'connected');
    this.#connection = new ConnectionTracker(state);
    this.#unsubscribe = conversation.subscribe((event) => this.#show(event));
    // A terminal or pipe that is gone is no reason to stop a transfer.
    output.on('error', () => {});
  }

  stop(): void {
    this.#printer.settle();
    this.#unsubscribe();
  }

  say(lines: Lines): void {
    this.#printer.words(lines);
  }

  titleOf(transfer: string): string {
    const entry = this.#book.list().find((one) => one.transfer === transfer);
    return entry ? transferTitle(entry) : 'it';
  }

  /** Asks below everything else, until `answer` is there. */
  async ask(question: string, answer: Promise<string>): Promise<string> {
    // Room for the answer; and what is cut off of the last row, its end, would be what matters.
    const rows = wrapRow([span(question, 'strong')], this.#printer.columns - ANSWER_COLUMNS);
    for (const row of rows.slice(0, -1)) this.#printer.line(row);
    this.#printer.live(rows.at(-1) ?? []);
    const text = await answer;
    this.#printer.answered();
    return text;
  }

  #show(event: SessionEvent): void {
    const isNews = this.#connection.record(event);
    const entry = this.#book.record(event);
    if (event.event === 'connected' || event.event === 'disconnected') this.#showLive();
    if (event.event === 'progress') {
      if (entry) this.#showProgress(entry, event);
      return;
    }
    if (entry && isComplete(event)) this.#finishFile();
    if (event.event === 'error' && event.file !== undefined && event.file === this.#showing?.name) this.#endFile();
    if (entry && event.event === 'offer') this.say(withoutLast(offerLines(entry, this.#peerName)));
    const lines = isNews ? eventLines(event, this.#peerName, entry) : undefined;
    if (lines) this.say(lines);
  }

  #showProgress(entry: TransferEntry, progress: ProgressEvent): void {
    if (this.#showing && this.#showing.name !== progress.name) this.#finishFile();
    this.#showing = { name: progress.name, progress, entry };
    this.#showLive();
  }

  #showLive(): void {
    if (!this.#showing) return;
    const { entry } = this.#showing;
    const progress = entry.progress ?? this.#showing.progress;
    const file = this.#readerOf(entry).read(progress);
    this.#printer.live(fileProgressRow(file, progress, this.#printer.columns, entry.waits));
  }

  /** The next file has begun, or all are done: the line of the last one is left standing, full. */
  #finishFile(): void {
    if (!this.#showing) return;
    const { progress, entry } = this.#showing;
    const { name, size } = this.#readerOf(entry).read(progress);
    this.#printer.live(fileProgressRow({ name, bytes: size, size }, progress, this.#printer.columns));
    this.#endFile();
  }

  #endFile(): void {
    this.#printer.settle();
    this.#showing = undefined;
  }

  #readerOf(entry: TransferEntry): FileProgressReader {
    const known = this.#readers.get(entry.transfer);
    if (known) return known;
    const reader = new FileProgressReader(entry);
    this.#readers.set(entry.transfer, reader);
    return reader;
  }
}

function isComplete(event: SessionEvent): boolean {
  return event.event === 'transferred' || (event.event === 'cancelled' && event.skipped !== undefined);
}

/** Of an offer's text, all but how to answer it in the chat. */
function withoutLast(lines: Lines): Lines {
  return { ...lines, count: lines.count - 1 };
}
