import net from 'node:net';
import type { Candidate, PathKind } from '../../protocol/messages.js';
import { isPrivate } from '../paths/addresses.js';
import { classifyMapping, type Mapping } from '../paths/udp/mapping.js';
import { planMoves } from '../paths/udp/plan.js';

/** What both sides know of each other, and so both foresee the same. */
export interface PairView {
  mine: readonly Candidate[];
  theirs: readonly Candidate[];
  allowed: readonly PathKind[];
  /** The mediator carries a session for the two. */
  relayCarries: boolean;
  /** The gateway leads packets back inside; null: not known. */
  hairpin: boolean | null;
  /** Is this address on this machine's own network? */
  isNear(address: string): boolean;
}

export interface Prediction {
  /** The best path that should open; null: none. */
  path: PathKind | null;
  why: string;
}

/**
 * Which path should come out of the race. What a gateway lets in cannot be seen from one side, so a path that is
 * foreseen is not sure, and a better one may open.
 */
export function predictPath(view: PairView): Prediction {
  const { allowed, relayCarries } = view;
  const foreseen = WAYS.flatMap(({ path, why, opens }) =>
    allowed.includes(path) && opens(view) ? [{ path, why }] : [],
  );
  const [best] = foreseen;
  if (best) return best;
  if (relayCarries && allowed.includes('relay')) return { path: 'relay', why: whyNotDirect(view) };
  return { path: null, why: `${whyNotDirect(view)}, and no relay carries it` };
}

const WAYS: { path: PathKind; why: string; opens(view: PairView): boolean }[] = [
  { path: 'tcp-direct', why: 'you are on the same network', opens: onSameNetwork },
  { path: 'tcp-direct', why: 'one of you can be reached from outside', opens: isOneOpen },
  { path: 'tcp-punch', why: 'each gateway keeps one port for all destinations', opens: isPunchableByTcp },
  { path: 'udp-punch', why: 'the ports of both gateways can be found out', opens: isPunchableByUdp },
];

function onSameNetwork(view: PairView): boolean {
  const near = view.theirs.some(({ type, address }) => type === 'host' && view.isNear(address));
  // 192.168.1.0/24 is in many homes.
  return near && (shareGateway(view) || !isBehindGateway(view.theirs));
}

function isOneOpen(view: PairView): boolean {
  const usable = ({ type, address }: Candidate) => type === 'mapped' && (!isPrivate(address) || shareGateway(view));
  const isOpen = (side: readonly Candidate[]) => {
    const publicHosts = tcp(side).filter(({ type, address }) => type === 'host' && net.isIPv4(address));
    return tcp(side).some(usable) || publicHosts.some(({ address }) => reflexiveAddresses(side).includes(address));
  };
  return isOpen(view.mine) || isOpen(view.theirs);
}

function isPunchableByTcp(view: PairView): boolean {
  const [mine, theirs] = [view.mine, view.theirs].map((side) => tcp(side).find(({ type }) => type === 'reflexive'));
  if (!mine || !theirs || net.isIP(mine.address) !== net.isIP(theirs.address)) return false;
  if (shareGateway(view)) return false;
  // Gateways mostly treat TCP as they treat UDP; without UDP nothing is known, and hope costs nothing.
  return ([4, 6] as const).every(
    (family) => !isHard(mappingOf(view.mine, family)) && !isHard(mappingOf(view.theirs, family)),
  );
}

function isPunchableByUdp(view: PairView): boolean {
  if (shareGateway(view) && view.hairpin !== true) return false;
  return ([4, 6] as const).some((family) => {
    const [mine, theirs] = [mappingOf(view.mine, family), mappingOf(view.theirs, family)];
    if (mine.kind === 'unknown' || theirs.kind === 'unknown') return false;
    if (!isHard(mine) || !isHard(theirs)) return true;
    return planMoves(mine, theirs, 'client').some(({ kind }) => kind === 'walk' || kind === 'cross');
  });
}

function whyNotDirect(view: PairView): string {
  if (view.allowed.every((path) => path === 'relay')) return 'no other path is allowed';
  if (shareGateway(view)) return 'you are behind the same gateway, which leads no packets back inside';
  const mappings = [view.mine, view.theirs].map((side) => mappingOf(side, 4));
  if (mappings.every(isHard)) return 'both gateways take another port for each destination';
  if (mappings.some(({ kind }) => kind === 'unknown')) return 'UDP does not come through on both sides';
  return 'no other path is allowed that should open';
}

/** Seen at the same address: whatever lies between the two, the internet does not. */
function shareGateway({ mine, theirs }: PairView): boolean {
  const others = reflexiveAddresses(theirs).filter(net.isIPv4);
  return reflexiveAddresses(mine).some((address) => others.includes(address));
}

function isBehindGateway(side: readonly Candidate[]): boolean {
  const hosts = side.filter(({ type }) => type === 'host').map(({ address }) => address);
  return !reflexiveAddresses(side).some((address) => hosts.includes(address));
}

function reflexiveAddresses(side: readonly Candidate[]): string[] {
  return side.filter(({ type }) => type === 'reflexive').map(({ address }) => address);
}

function mappingOf(side: readonly Candidate[], family: 4 | 6): Mapping {
  const told = side.findLast(
    ({ type, transport, address }) => type === 'reflexive' && transport === 'udp' && net.isIP(address) === family,
  );
  return classifyMapping(told?.seenPorts ?? []);
}

function isHard({ kind }: Mapping): boolean {
  return kind === 'sequential' || kind === 'random';
}

function tcp(side: readonly Candidate[]): readonly Candidate[] {
  return side.filter(({ transport }) => transport === 'tcp');
}
