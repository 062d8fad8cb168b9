import { ExitCode } from '../../protocol/errors.js';

/** What the doctor looks at, in this order. */
export const STEPS = [
  'name',
  'mediator',
  'key',
  'authentication',
  'clock',
  'udp',
  'mapping',
  'address',
  'hairpin',
  'ipv6',
  'port-mapping',
  'peer',
] as const;
export type Step = (typeof STEPS)[number];

export type Status = 'ok' | 'failed' | 'skipped';

/** What came of a step. */
export interface Finding {
  status: Status;
  message: string;
  /** What to do, if anything. */
  hint: string;
  /** For programs. */
  facts: Record<string, unknown>;
  /** Of the whole examination, if this is the first step that says so; done: one can live with it. */
  exitCode: ExitCode;
}

export interface Check extends Finding {
  step: Step;
}

type Facts = Finding['facts'];

export function ok(message: string, facts: Facts = {}, hint = ''): Finding {
  return { status: 'ok', message, hint, facts, exitCode: ExitCode.done };
}

/** Something is not as it might be, but two people can meet without it. */
export function lacking(message: string, hint: string, facts: Facts = {}): Finding {
  return { status: 'failed', message, hint, facts, exitCode: ExitCode.done };
}

/** Without this, nobody is met. */
export function failed(exitCode: ExitCode, message: string, hint: string, facts: Facts = {}): Finding {
  return { status: 'failed', message, hint, facts, exitCode };
}

export function skipped(why: string, hint = ''): Finding {
  return { status: 'skipped', message: why, hint, facts: {}, exitCode: ExitCode.done };
}
