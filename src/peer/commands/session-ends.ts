import { ExitCode, UserError } from '../../protocol/errors.js';
import type { PeerConversation } from '../peer-conversation.js';
import type { TalkOptions } from './talk-options.js';

/** An error that may come at any time and ends the session. */
export function newFailure() {
  let fail: (error: UserError) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // It may come before anyone waits for it.
  failed.catch(() => {});
  return { fail, failed };
}

/** `--timeout` limits the time until the first connection, and nothing after it. */
export function watchDeadline(
  timeoutMs: number | null,
  conversation: PeerConversation,
  fail: (error: UserError) => void,
) {
  if (timeoutMs === null) return { stop: () => {} };
  const timer = setTimeout(() => fail(lateError(conversation.whyLate(), timeoutMs / 1000)), timeoutMs);
  const unsubscribe = conversation.subscribe(({ event }) => {
    if (event === 'connected') clearTimeout(timer);
  });
  return {
    stop: () => {
      clearTimeout(timer);
      unsubscribe();
    },
  };
}

function lateError(why: ReturnType<PeerConversation['whyLate']>, seconds: number): UserError {
  switch (why) {
    case 'impostor':
      return new UserError(
        ExitCode.impostor,
        `within ${seconds} s only someone with another key had answered in the peer’s place`,
        'Compare keys with your friend (p2p id FILE on both sides); if they agree, somebody is in between.',
      );
    case 'no mediator':
      return new UserError(
        ExitCode.mediatorUnreachable,
        `the mediator could not be reached within ${seconds} s`,
        'Check the host and the port, and that p2p-server is running there and its port is open.',
      );
    case 'absent':
      return new UserError(
        ExitCode.peerAbsent,
        `the peer did not come within ${seconds} s`,
        'Ask your friend to start p2p with the same mediator and your public key; without --timeout this waits for ever.',
      );
  }
}

/**
 * What is left to say when a signal ends the program: null where that is all right. A command that is there to carry
 * something over is not done then: `p2p send x && rm x` must not remove it. In JSON mode the other program knows what
 * it asked for.
 */
export function interruption({ purpose, json }: Pick<TalkOptions, 'purpose' | 'json'>): UserError | null {
  if (json || purpose.kind === 'chat' || (purpose.kind === 'receive' && !purpose.once)) return null;
  const hint = purpose.kind === 'pipe' ? 'Start both sides again.' : 'The same command goes on where this one stopped.';
  return new UserError(ExitCode.transferIncomplete, 'interrupted before all had arrived', hint);
}

/** SIGINT and SIGTERM act as `quit`; a second one does not wait, and ends the process with `code`. */
export function watchSignals(code: ExitCode = ExitCode.done) {
  let end: (code: ExitCode) => void = () => {};
  const ended = new Promise<ExitCode>((resolve) => {
    end = resolve;
  });
  let asked = false;
  const onSignal = () => {
    if (asked) process.exit(code);
    asked = true;
    end(code);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    ended,
    stop: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
