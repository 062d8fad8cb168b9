import type { Readable, Writable } from 'node:stream';
import { ExitCode, errorMessage, UserError } from '../../protocol/errors.js';
import { sanitiseLine } from '../../protocol/sanitise.js';
import type { Conversation } from '../session/conversation.js';
import type { SessionEvent } from '../session/events.js';
import { type Face, newEnding } from './face.js';
import { type JsonCommand, parseJsonCommand } from './json-commands.js';
import { LineInput } from './line-input.js';
import { type InputLine, MAX_LINE_BYTES } from './line-splitter.js';
import { jsonLine } from './output.js';
import { QuietWatch } from './quiet-watch.js';

export interface JsonModeOptions {
  conversation: Conversation;
  input: Readable;
  output: Writable;
  errorOutput: Writable;
  /** Does the end of the input, once all is delivered, mean the end? Not for a command that has its own. */
  endsWithInput: boolean;
}

/**
 * The face for programs: the session's events on `output`, commands from `input`, as the contract has them. `done`
 * resolves at `quit`, when nobody reads the output any more, or after the input's end when all is done. The caller then
 * quits the session, whose `bye` is still printed, and stops the face.
 */
export function openJsonMode(options: JsonModeOptions): Face {
  return new JsonMode(options);
}

/** The events alone, for a program whose stdout is taken. */
export class JsonPrinter {
  readonly stop: () => void;

  constructor(conversation: Conversation, output: Writable) {
    this.stop = conversation.subscribe((event) => output.write(`${jsonLine(event)}\n`));
  }
}

class JsonMode implements Face {
  readonly done: Promise<void>;
  readonly #finish: () => void;
  readonly #options: JsonModeOptions;
  readonly #watch: QuietWatch;
  readonly #unsubscribe: () => void;
  readonly #lines: LineInput;
  #quitting = false;

  constructor(options: JsonModeOptions) {
    const { done, finish } = newEnding();
    this.done = done;
    this.#finish = finish;
    this.#options = options;
    this.#unsubscribe = options.conversation.subscribe((event) => this.#print(event));
    this.#watch = new QuietWatch(options.conversation, finish);
    // Nobody reads any more.
    options.output.on('error', () => finish());
    options.errorOutput.on('error', ignore);
    this.#lines = new LineInput(
      options.input,
      (line) => this.#takeLine(line),
      () => this.#inputEnded(),
    );
  }

  stop(): void {
    this.#unsubscribe();
    this.#watch.stop();
    this.#lines.stop();
  }

  #print(event: SessionEvent): void {
    const { output, errorOutput } = this.#options;
    if (output.writable) output.write(`${jsonLine(event)}\n`);
    if (event.event === 'error') errorOutput.write(`${sentence(event.message, event.hint)}\n`);
  }

  #inputEnded(): void {
    if (this.#options.endsWithInput) this.#watch.inputEnded();
  }

  #takeLine(line: InputLine): void {
    if (this.#quitting || (line.kind === 'text' && line.text.trim() === '')) return;
    let about: About = {};
    const complain = (error: unknown): void => this.#complain(error, about);
    try {
      const command = parseJsonCommand(textOf(line));
      about = whatOf(command);
      const work = this.#obey(command);
      if (work) void this.#watch.during(work).catch(complain);
    } catch (error) {
      complain(error);
    }
  }

  /** Does at once what can be done at once, so that answers come in the order of the commands. */
  #obey(command: JsonCommand): Promise<unknown> | undefined {
    const { conversation } = this.#options;
    switch (command.command) {
      case 'message':
        conversation.message(command.text, command.ref);
        break;
      case 'send':
        return conversation.send(command.paths, command.ref);
      case 'accept':
        return conversation.accept(command.transfer, command.into);
      case 'decline':
        conversation.decline(command.transfer);
        break;
      case 'cancel':
        conversation.cancel(command.transfer);
        break;
      case 'read':
        conversation.read([command.id]);
        break;
      case 'disappear':
        if ('agree' in command) conversation.answerDisappear(command.agree);
        else conversation.disappear(command.seconds);
        break;
      case 'verify':
        conversation.verify(command.verified);
        break;
      case 'follow':
        conversation.follow(command.id);
        break;
      case 'status':
        this.#print(conversation.status());
        break;
      case 'quit':
        this.#quitting = true;
        this.#finish();
    }
    return undefined;
  }

  #complain(error: unknown, about: About): void {
    const { exitCode: code, hint } = error instanceof UserError ? error : { exitCode: ExitCode.bug, hint: '' };
    const message = errorMessage(error);
    this.#print({ event: 'error', code, message, hint, ...about });
  }
}

/** What ties an error to the command that it answers. */
type About = { transfer?: string; ref?: string };

function whatOf(command: JsonCommand): About {
  if ('transfer' in command) return { transfer: command.transfer };
  return 'ref' in command && command.ref !== undefined ? { ref: command.ref } : {};
}

function sentence(message: string, hint: string): string {
  return sanitiseLine(hint === '' ? message : `${message}. ${hint}`);
}

function textOf(line: InputLine): string {
  if (line.kind === 'text') return line.text;
  if (line.kind === 'notUtf8') throw new UserError(ExitCode.usage, 'the line is not UTF-8', 'Write commands in UTF-8.');
  const hint = `Write commands of at most ${MAX_LINE_BYTES} bytes.`;
  throw new UserError(ExitCode.usage, 'the line is too long', hint);
}

function ignore(): void {}
