import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { formatEndpoint } from '../../protocol/address.js';
import { ExitCode, UserError } from '../../protocol/errors.js';
import { type Identity, type PublicIdentity, shortId } from '../../protocol/identity.js';
import { verificationWords } from '../../protocol/words.js';
import { unlessAborted, withDeadline } from '../deadline.js';
import { dial } from '../dial.js';
import {
  type ClockComparison,
  connectToMediator,
  type MediatorConnection,
  RefusedError,
} from '../mediator/connection.js';
import type { Judge } from '../mediator/judge.js';
import { reasonOf } from '../mediator/mediation.js';
import { type Finding, failed, lacking, ok, skipped } from './check.js';

/** The way to the mediator, step by step: its name, its port, its key, ours, its clock. */

export interface Where {
  host: string;
  port: number;
}

const LOOKUP_MS = 10_000;
const DIAL_MS = 5_000;
/** Messages show their minute: who reads them notices this. */
const CLOCKS_AGREE_WITHIN_MS = 10_000;

export async function examineName(
  { host }: Where,
  signal: AbortSignal,
): Promise<{ finding: Finding; addresses: string[] }> {
  if (net.isIP(host) !== 0) {
    return { finding: ok(`the address ${host} needs no look-up`, byFamily([host])), addresses: [host] };
  }
  try {
    const found = await withDeadline(LOOKUP_MS, signal, (until) => unlessAborted(lookup(host, { all: true }), until));
    const addresses = [...new Set(found.map(({ address }) => address))];
    return { finding: ok(`the name ${host} stands for ${listOf(addresses)}`, byFamily(addresses)), addresses };
  } catch (error) {
    signal.throwIfAborted();
    const hint = 'Check how the host is spelt, and that this machine is online and its name server works.';
    const finding = failed(ExitCode.mediatorUnreachable, `the host ${host} has no address: ${reasonOf(error)}`, hint);
    return { finding, addresses: [] };
  }
}

export interface Reached {
  address: string;
  /** To connect by TCP. */
  ms: number;
}

/** Every address is tried, for a person's program may come upon any. */
export async function examinePort(
  { port }: Where,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<{ finding: Finding; reached: Reached[] }> {
  const trials = await Promise.all(addresses.map((address) => tryPort(address, port, signal)));
  signal.throwIfAborted();
  const reached = trials.flatMap(({ address, ms }) => (ms === null ? [] : [{ address, ms }]));
  const silent = trials.flatMap(({ address, why }) => (why === null ? [] : [{ address, why }]));
  const facts = { port, reached, silent };
  const failures = silent.map(({ address, why }) => `${formatEndpoint({ address, port })}: ${why}`).join('; ');
  const [first] = reached;
  if (!first) {
    const hint = hintFor(silent[0]?.why ?? '', port);
    const finding = failed(ExitCode.mediatorUnreachable, `no mediator there (${failures})`, hint, facts);
    return { finding, reached };
  }
  const answer = `the mediator's port answers in ${first.ms} ms: ${formatEndpoint({ address: first.address, port })}`;
  return { finding: ok(failures ? `${answer}; not so ${failures}` : answer, facts), reached };
}

export interface Admission {
  key: Finding;
  authentication: Finding;
  connection: MediatorConnection | null;
}

/**
 * The first handshake.
 * @param judge throws a UserError if the mediator's key is not the expected one
 * @param pinned the id that is expected; null: whatever comes is taken
 */
export async function examineAdmission(
  { host, port }: Where,
  identity: Identity,
  wantedId: string,
  pinned: string | null,
  judge: Judge,
  signal: AbortSignal,
): Promise<Admission> {
  let shown: PublicIdentity | null = null;
  let accepted = false;
  let spoke = pinned !== null;
  const judgeAndNote = (mediator: PublicIdentity) => {
    shown = mediator;
    const remember = judge(mediator);
    accepted = true;
    return () => {
      spoke = true;
      remember?.();
    };
  };
  const keyOf = (mediator: PublicIdentity | null) => (mediator ? keyFinding(mediator.id, pinned) : skipped(''));
  try {
    const connection = await connectToMediator(host, port, identity, wantedId, judgeAndNote, signal);
    const authentication = ok(`you are admitted as ${shortId(identity.id)}`, { id: identity.id });
    return { key: keyOf(shown), authentication, connection };
  } catch (error) {
    signal.throwIfAborted();
    if (!accepted) return { ...notBelieved(error, shown, pinned), connection: null };
    if (!spoke)
      return { key: noMediator(error), authentication: skipped('what answers there admits nobody'), connection: null };
    return { key: keyOf(shown), authentication: notAdmitted(error, identity), connection: null };
  }
}

export function examineClock({ aheadMs, giveOrTakeMs }: ClockComparison): Finding {
  const facts = { mediatorAheadMs: Math.round(aheadMs), giveOrTakeMs: Math.ceil(giveOrTakeMs) };
  const precision = `give or take ${Math.ceil(giveOrTakeMs)} ms`;
  if (Math.abs(aheadMs) - giveOrTakeMs < CLOCKS_AGREE_WITHIN_MS) {
    return ok(`your clock and the mediator's agree to ${seconds(aheadMs)}, ${precision}`, facts);
  }
  const way = aheadMs > 0 ? 'behind' : 'ahead of';
  return lacking(
    `your clock is ${seconds(aheadMs)} ${way} the mediator's, ${precision}`,
    'One of the two is wrong, and then so are the times of messages. Let your system set its clock from the network.',
    facts,
  );
}

async function tryPort(
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<{ address: string; ms: number | null; why: string | null }> {
  const startedAt = performance.now();
  try {
    const socket = await dial({ host: address, port }, DIAL_MS, signal);
    socket.on('error', () => {}).destroy();
    return { address, ms: Math.ceil(performance.now() - startedAt), why: null };
  } catch (error) {
    return { address, ms: null, why: reasonOf(error) };
  }
}

function hintFor(why: string, port: number): string {
  if (why === 'nothing listens there') return `See that p2p-server runs there, and that its port is ${port}.`;
  if (why === 'there is no route to it') return 'Check that this machine is online, and that the host is right.';
  return `A firewall, yours or the mediator's, may drop it: TCP port ${port} must be open there, and open to you.`;
}

function keyFinding(id: string, pinned: string | null): Finding {
  const facts = { id, words: verificationWords(id), pinned: pinned !== null };
  if (pinned !== null) return ok(`its key is the expected one, ${shortId(id)}`, facts);
  return ok(
    `its key is ${shortId(id)}, seen for the first time and remembered from now on`,
    facts,
    'To be sure, compare it with the fingerprint that p2p-server prints when it starts.',
  );
}

function notBelieved(error: unknown, shown: PublicIdentity | null, pinned: string | null) {
  const authentication = skipped('you are not made known to a mediator that is not believed');
  if (!(error instanceof UserError)) return { key: noMediator(error), authentication };
  const facts = { id: shown?.id ?? null, expected: pinned };
  return { key: failed(error.exitCode, error.message, error.hint, facts), authentication };
}

function noMediator(error: unknown): Finding {
  const message = `what answers there is no mediator: ${reasonOf(error)}`;
  const hint = 'Another service may listen on this port, or something in between interferes. Check host and port.';
  return failed(ExitCode.mediatorUnreachable, message, hint);
}

function notAdmitted(error: unknown, { id }: Identity): Finding {
  if (error instanceof RefusedError) {
    return failed(
      ExitCode.mediatorRefused,
      `the mediator does not admit your key, ${shortId(id)}`,
      'Ask whoever runs it to put your public.pem into its directory of keys (p2p-server --certs DIR).',
      { id },
    );
  }
  const hint = 'Try again; if it stays so, the mediator may be overloaded, or of another version.';
  return failed(ExitCode.mediatorUnreachable, `the mediator broke off: ${reasonOf(error)}`, hint, { id });
}

function byFamily(addresses: readonly string[]) {
  return { ipv4: addresses.filter((address) => net.isIPv4(address)), ipv6: addresses.filter(net.isIPv6) };
}

function listOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function seconds(ms: number): string {
  const whole = Math.round(Math.abs(ms) / 1000);
  if (whole < 120) return `${(Math.abs(ms) / 1000).toFixed(whole < 10 ? 1 : 0)} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 72 * 60 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 60 / 24)} days`;
}
