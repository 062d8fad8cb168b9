import { ExitCode, UserError } from '../../protocol/errors.js';
import type { PathKind } from '../../protocol/messages.js';
import { sanitiseLine } from '../../protocol/sanitise.js';
import type { Attempt } from '../paths/race.js';
import { type Finding, failed, ok, skipped } from './check.js';
import { type Encounter, type LinkSeen, PeerMeeting, type PeerMeetingOptions } from './peer-meeting.js';

/** @param timeoutMs for the peer to come; null: for as long as it takes */
export async function examinePeer(
  options: PeerMeetingOptions & { name: string },
  timeoutMs: number | null,
  signal: AbortSignal,
): Promise<Finding> {
  const meeting = new PeerMeeting(options);
  try {
    return findingOf(await meeting.run(timeoutMs, signal), options.name);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof UserError)) throw error;
    return failed(error.exitCode, error.message, error.hint);
  } finally {
    await meeting.stop();
  }
}

export function findingOf(encounter: Encounter, name: string): Finding {
  if (encounter.kind === 'absent') {
    return skipped(
      `no path was tried, for ${name} did not come`,
      `It takes both: ${name} has to run p2p doctor, or p2p, at the same time, with the same mediator and your public key.`,
    );
  }
  const { link, prediction, attempts, impostor } = encounter;
  const facts = { predicted: prediction.path, why: prediction.why, attempts };
  if (link) {
    const message = `you reach ${name} by ${pathWords(link)}, ${Math.ceil(link.rttMs)} ms away; ${foresight(link, encounter)}`;
    return ok(message, { ...facts, ...link }, adviceFor(link, attempts));
  }
  if (impostor) {
    return failed(
      ExitCode.impostor,
      `only someone with another key answered in the place of ${name}`,
      'Compare keys (p2p id FILE on both sides); if they agree, somebody is in between.',
      { ...facts, path: null },
    );
  }
  const signalled = attempts.some(({ path, outcome }) => path === 'relay' && outcome.startsWith('connected'));
  const why = signalled
    ? 'no direct path opens, and the mediator carries no sessions for you two, or you want none carried'
    : 'you were introduced, but nothing came through';
  return failed(
    ExitCode.peerAbsent,
    `there is no way to ${name}, who is there: ${why}`,
    signalled
      ? 'Allow the relay (p2p-server without --no-relay, --paths with relay), or turn on UPnP, NAT-PMP or PCP in a router.'
      : 'Try again; if it stays so, see that TCP to the mediator is not tampered with on the other side.',
    { ...facts, path: null },
  );
}

function foresight({ path }: LinkSeen, { prediction }: Extract<Encounter, { kind: 'met' }>): string {
  if (prediction.path === path) return `as foreseen, for ${prediction.why}`;
  if (prediction.path === null) return `though none was foreseen (${prediction.why})`;
  return `${prediction.path} was foreseen, for ${prediction.why}`;
}

function pathWords({ path, sameNetwork }: LinkSeen): string {
  return sameNetwork && path !== 'relay' ? `${path} on the same network` : path;
}

/** A path is as good as it gets unless it is the relay. */
function adviceFor({ path }: LinkSeen, attempts: readonly Attempt[]): string {
  if (path !== 'relay') return '';
  const others: PathKind[] = ['tcp-direct', 'tcp-punch', 'udp-punch'];
  const ends = others.flatMap((other) => {
    const outcome = attempts.findLast((attempt) => attempt.path === other)?.outcome;
    return outcome === undefined ? [] : [`${other}: ${sanitiseLine(outcome)}`];
  });
  const tried = ends.length > 0 ? ` Tried: ${ends.join('; ')}.` : '';
  return `Everything works by way of the mediator. For a direct path, one router would have to give out ports (UPnP, NAT-PMP, PCP), or both of you have IPv6.${tried}`;
}
