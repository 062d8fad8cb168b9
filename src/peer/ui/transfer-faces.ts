import type { Readable } from 'node:stream';
import { sanitiseLine } from '../../protocol/sanitise.js';
import type { Conversation } from '../session/conversation.js';
import { type InputLine, LineSplitter } from './line-splitter.js';
import type { LiveOutput } from './live-printer.js';
import { type Outcome, receiveOffers, sendAndWait } from './transfer-jobs.js';
import { TransferPrinter } from './transfer-printer.js';
import { problemLines } from './wording.js';

/** The face of a command that does one thing. */
export interface TransferFace {
  /** How it ended. Rejects with the UserError that kept it from beginning. Never settles after stop(). */
  done: Promise<Outcome>;
  stop(): void;
}

export interface SendFaceOptions {
  conversation: Conversation;
  /** Absolute. */
  paths: string[];
  /** Where progress is printed: standard error, a terminal or not. */
  output: LiveOutput;
  colour: boolean;
}

export interface ReceiveFaceOptions {
  conversation: Conversation;
  into: string;
  /** Take everything without asking. */
  yes: boolean;
  once: boolean;
  /** The person's terminal to ask on; undefined: there is none, and what is not taken by `yes` is declined. */
  input: Readable | undefined;
  output: LiveOutput;
  colour: boolean;
}

/** `p2p send`: offers the files, shows how they go, and ends with them. */
export function openSendFace({ conversation, paths, output, colour }: SendFaceOptions): TransferFace {
  const printer = new TransferPrinter(conversation, output, colour);
  return runJob(printer, (signal) => sendAndWait(conversation, paths, signal));
}

/** `p2p receive`: shows each offer in full, asks or answers by itself, and shows how it comes in. */
export function openReceiveFace(options: ReceiveFaceOptions): TransferFace {
  const { conversation, into, once, yes, input, output, colour } = options;
  const printer = new TransferPrinter(conversation, output, colour);
  const stopDiscarding = input ? discardUnasked(input) : () => {};
  const face = runJob(printer, (signal) =>
    receiveOffers(conversation, {
      into,
      once,
      signal,
      decide: async ({ transfer }, gone) => {
        if (yes || !input) return yes;
        // Several offers may have been shown by now.
        const question = `Take ${printer.titleOf(transfer)} into ${sanitiseLine(into)}? [y/N] `;
        const answer = await printer.ask(question, readAnswer(input, gone));
        return /^\s*y(es)?\s*$/i.test(answer);
      },
      onProblem: ({ message, hint }) => printer.say(problemLines(message, hint)),
    }),
  );
  return {
    done: face.done,
    stop: () => {
      face.stop();
      stopDiscarding();
    },
  };
}

function runJob(printer: TransferPrinter, job: (signal: AbortSignal) => Promise<Outcome>): TransferFace {
  const abort = new AbortController();
  const done = new Promise<Outcome>((resolve, reject) => {
    job(abort.signal).then(resolve, (error: unknown) => {
      if (!abort.signal.aborted) reject(error);
    });
  });
  return {
    done,
    stop: () => {
      abort.abort();
      printer.stop();
    },
  };
}

/** Whatever is typed before a question answers nothing: a `y` too many would take the next offer unseen. */
function discardUnasked(input: Readable): () => void {
  const discard = (): void => {};
  input.on('data', discard).resume();
  return () => {
    input.off('data', discard);
    input.pause();
  };
}

/** One line from the terminal; '' at its end, or when the question has lost its sense. */
function readAnswer(input: Readable, signal: AbortSignal): Promise<string> {
  const splitter = new LineSplitter();
  return new Promise((resolve) => {
    const finish = (line?: InputLine): void => {
      input.off('data', onData).off('end', onEnd);
      signal.removeEventListener('abort', onEnd);
      resolve(line?.kind === 'text' ? line.text : '');
    };
    const onEnd = (): void => finish();
    const onData = (bytes: Buffer | string): void => {
      const [line] = splitter.feed(Buffer.from(bytes as string));
      if (line) finish(line);
    };
    input.on('data', onData).on('end', onEnd);
    signal.addEventListener('abort', onEnd);
    if (input.readableEnded) onEnd();
  });
}
