/** The exit codes of the contract. */
export const ExitCode = {
  done: 0,
  bug: 1,
  usage: 2,
  mediatorUnreachable: 3,
  mediatorRefused: 4,
  peerAbsent: 5,
  impostor: 6,
  transferIncomplete: 7,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * Something the person can mend. `message` says what is wrong, `hint` what to do next; neither ends in a full stop's
 * worth of stack trace. The two mains print both on stderr and exit with `exitCode`.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The other end broke the protocol. Its connection is closed; nothing it said is believed. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Whoever answered is not the one that the user named: another key was shown, or a proof does not hold. */
export class WrongPeerError extends Error {
  override readonly name = 'WrongPeerError';
}

/** The link ended: the network's doing, or the other end's. Never by itself the end of a session. */
export class LinkClosedError extends Error {
  override readonly name: string = 'LinkClosedError';
}

/** The link was silent for longer than a living one is, though nobody closed it. */
export class LinkSilentError extends LinkClosedError {}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` that Node's system errors carry ('ENOENT', 'ECONNREFUSED', …), if there is one. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
