import { ExitCode, type UserError } from '../../protocol/errors.js';
import type { PeerConversation } from '../peer-conversation.js';
import { JsonPrinter, openJsonMode } from '../ui/json-mode.js';
import { openLineMode } from '../ui/line-mode.js';
import { harmlessOutput } from '../ui/output.js';
import { openReceiveFace, openSendFace } from '../ui/transfer-faces.js';
import { type Outcome, receiveOffers, sendAndWait } from '../ui/transfer-jobs.js';
import { TransferPrinter } from '../ui/transfer-printer.js';
import type { TalkOptions } from './talk-options.js';

/** How a session is shown, until it ends by itself or by the person. */
export interface RunningFace {
  done: Promise<ExitCode>;
  stop(): void;
}

/** The face that fits the purpose and the terminal. */
export async function openFace(options: TalkOptions, conversation: PeerConversation): Promise<RunningFace> {
  if (options.json && options.purpose.kind !== 'pipe') return openJson(options, conversation);
  const { purpose, terminal } = options;
  const { input, output, errorOutput, colour, term, homeDirectory, cwd } = terminal;
  switch (purpose.kind) {
    case 'send':
      return ending(openSendFace({ conversation, paths: purpose.files, output: errorOutput, colour }));
    case 'receive': {
      const asks = input.isTTY && errorOutput.isTTY ? input : undefined;
      return ending(openReceiveFace({ conversation, ...purpose, input: asks, output: errorOutput, colour }));
    }
    case 'pipe':
      return openPipe(options, conversation);
    case 'chat': {
      const { openFullScreen, suitsFullScreen } = await import('../ui/full-screen.js');
      const where = { conversation, input, output, colour, home: homeDirectory, cwd };
      const full = input.isTTY && output.isTTY && !options.plain && suitsFullScreen(term);
      const face = full ? openFullScreen({ ...where, term }) : openLineMode(where);
      return { done: face.done.then(() => ExitCode.done), stop: () => face.stop() };
    }
  }
}

/** JSON mode shows the session whatever its purpose; a purpose adds only what it does by itself. */
function openJson({ purpose, terminal }: TalkOptions, conversation: PeerConversation): RunningFace {
  const { input, output, errorOutput } = terminal;
  const endsWithInput = purpose.kind === 'chat';
  const face = openJsonMode({ conversation, input, output, errorOutput, endsWithInput });
  const stopping = new AbortController();
  const job = automate(purpose, conversation, stopping.signal);
  return {
    done: Promise.race([job.then(exitCodeOf), face.done.then(() => ExitCode.done)]),
    stop: () => {
      stopping.abort();
      face.stop();
    },
  };
}

/** What the command does without being told. Never settles for a chat. */
function automate(
  purpose: TalkOptions['purpose'],
  conversation: PeerConversation,
  signal: AbortSignal,
): Promise<Outcome> {
  switch (purpose.kind) {
    case 'chat':
    case 'pipe':
      return new Promise(() => {});
    case 'send':
      return sendAndWait(conversation, purpose.files, signal);
    case 'receive': {
      const { into, once, yes } = purpose;
      const onProblem = (error: UserError) => conversation.fail(error);
      return receiveOffers(conversation, { into, once, signal, decide: async () => yes, onProblem });
    }
  }
}

/** Stdout is the peer's, so everything else goes to stderr. From a terminal there is nothing to send. */
function openPipe({ json, terminal }: TalkOptions, conversation: PeerConversation): RunningFace {
  const { input, output, errorOutput, colour } = terminal;
  const printer = json
    ? new JsonPrinter(conversation, errorOutput)
    : new TransferPrinter(conversation, errorOutput, colour);
  const done = conversation.pipe(input.isTTY ? null : input, harmlessOutput(output));
  return { done: done.then(() => ExitCode.done), stop: () => printer.stop() };
}

function ending(face: { done: Promise<Outcome>; stop(): void }): RunningFace {
  return { done: face.done.then(exitCodeOf), stop: () => face.stop() };
}

function exitCodeOf(outcome: Outcome): ExitCode {
  return outcome === 'transferred' ? ExitCode.done : ExitCode.transferIncomplete;
}
