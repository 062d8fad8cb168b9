import { setMaxListeners } from 'node:events';
import net from 'node:net';
import type { Candidate, Endpoint } from '../../protocol/messages.js';
import { streamIdOf } from '../../protocol/punch.js';
import { hostAddresses, isOnOwnNetwork } from './addresses.js';
import type { Path, PathFactory, PathSurroundings } from './path.js';
import { SendBudget } from './send-budget.js';
import { Checks, type Pair } from './udp/checks.js';
import { classifyMapping, describeMapping, type Mapping } from './udp/mapping.js';
import { type Field, pause, pingEach, play } from './udp/moves.js';
import { probePlaces, seeFromOutside } from './udp/outside.js';
import { type Move, planMoves } from './udp/plan.js';
import { type IpFamily, isUdxLoaded, openUdpSocket, type UdpSocket } from './udp/udx.js';

/** To load the library takes as long as the handshake over the relay, which cannot go on meanwhile and is more urgent. */
const LOAD_AFTER_MS = 150;
/** Nothing was heard for this long, where it should have been: see `#startAnew`. */
const ANEW_AFTER_MS = 1_500;
const ANEW_SLOWNESS = 4;

/**
 * A reliable stream over UDP, through two gateways: one socket asks the mediator how it looks from outside, opens the
 * way together with the peer's socket, and then carries the stream.
 */
export const udpPunch: PathFactory = (surroundings) => new UdpPunch(surroundings, budget);

/** To one address that does not answer: what a birthday needs in the worst of twenty cases, twice over. */
const MAX_PACKETS_PER_ADDRESS = 5_000;
const MAX_PACKETS = 8_000;
/** One for the whole program: what is sent to strangers does not become more by trying again. */
const budget = new SendBudget(MAX_PACKETS_PER_ADDRESS, MAX_PACKETS);

/** Our socket of one address family, and how its packets look from outside. */
interface Side {
  family: IpFamily;
  socket: UdpSocket;
  mapping: Mapping;
  /** What the peer told of this family. */
  targets: Candidate[];
}

class UdpPunch implements Path {
  readonly #s: PathSurroundings;
  readonly #checks: Checks<UdpSocket>;
  readonly #sockets = new Set<UdpSocket>();
  readonly #over = new AbortController();
  #sides: Side[] = [];
  #gathering: Promise<unknown> = Promise.resolve();
  #attempting: AbortSignal | null = null;

  constructor(surroundings: PathSurroundings, budget: SendBudget) {
    this.#s = surroundings;
    // Each socket that asks the mediator listens to it.
    setMaxListeners(0, this.#over.signal);
    this.#checks = new Checks({
      token: surroundings.introduction.token,
      role: surroundings.role,
      budget,
      // Where both lead to the same machine, a packet of IPv4 costs the kernel less, and holds more.
      isBest: ({ address }) => isOf(4, address) && isOnOwnNetwork(address),
      onSelected: (pair) => this.#selected(pair),
    });
  }

  async gather(): Promise<Candidate[]> {
    const gathering = this.#gatherBoth();
    this.#gathering = gathering;
    return await gathering;
  }

  async attempt(candidates: Candidate[], signal: AbortSignal): Promise<void> {
    // The peer may know its addresses sooner than we know ours.
    await this.#gathering;
    for (const side of this.#sides) side.targets.push(...udpOf(side.family, candidates));
    if (this.#attempting) return await this.#pingLate(candidates, this.#attempting);
    const sides = this.#sides.filter(({ targets }) => targets.length > 0);
    if (sides.length === 0) return;
    this.#attempting = AbortSignal.any([signal, this.#over.signal]);
    const attempting = this.#attempting;
    await Promise.all(sides.map((side) => this.#punch(side, attempting)));
    if (!this.#over.signal.aborted) for (const side of sides) this.#reportFailure(side);
  }

  stop(): void {
    this.#over.abort();
    this.#checks.stop();
    this.#release();
  }

  async #gatherBoth(): Promise<Candidate[]> {
    const { signal } = this.#over;
    if (!isUdxLoaded()) await pause(LOAD_AFTER_MS, AbortSignal.any([signal, this.#s.carried]));
    if (signal.aborted) return [];
    const candidates = await Promise.all(([4, 6] as const).map((family) => this.#gather(family)));
    return candidates.flat();
  }

  async #gather(family: IpFamily): Promise<Candidate[]> {
    const hosts = hostAddresses(this.#s.loopbackAllowed).filter((address) => isOf(family, address));
    if (hosts.length + this.#probePlaces(family).length === 0) return [];
    const socket = await this.#openSocket(family);
    if (!socket) return [];
    const seen = await this.#seeFromOutside(socket);
    this.#sides.push({ family, socket, mapping: classifyMapping(seen.map(({ port }) => port)), targets: [] });
    const { port } = socket;
    const ofHost = (address: string): Candidate => ({ type: 'host', transport: 'udp', address, port, seenPorts: [] });
    return [...this.#reflexive(socket, seen), ...hosts.map(ofHost)];
  }

  /** Where our packets seem to come from, and the ports seen, from which the peer draws its own conclusions. */
  #reflexive({ family, port: localPort }: UdpSocket, seen: Endpoint[]): Candidate[] {
    const { reflexive } = this.#s.introduction;
    const seenPorts = seen.map(({ port }) => port);
    const [first] = seen;
    if (first) return [{ type: 'reflexive', transport: 'udp', ...first, seenPorts }];
    // Nobody answered. Many gateways leave the port as it is, and the mediator saw the address by TCP.
    if (!isOf(family, reflexive.address)) return [];
    return [{ type: 'reflexive', transport: 'udp', address: reflexive.address, port: localPort, seenPorts }];
  }

  async #seeFromOutside(socket: UdpSocket): Promise<Endpoint[]> {
    const { family } = socket;
    const { probeKey } = this.#s.introduction;
    const places = this.#probePlaces(family);
    const openSocket = () => this.#openSocket(family);
    const { seen } = await seeFromOutside(socket, places, probeKey, openSocket, this.#over.signal);
    this.#checks.add(socket);
    return seen;
  }

  #probePlaces(family: IpFamily): Endpoint[] {
    const { introduction, mediatorAddresses, loopbackAllowed } = this.#s;
    return probePlaces(introduction.probes, mediatorAddresses, family, loopbackAllowed);
  }

  async #pingLate(candidates: Candidate[], signal: AbortSignal): Promise<void> {
    const ping = ({ family, socket }: Side) => pingEach(this.#checks, socket, udpOf(family, candidates), signal);
    await Promise.all(this.#sides.map(ping));
  }

  async #punch(side: Side, signal: AbortSignal): Promise<void> {
    const { family, mapping } = side;
    const theirs = classifyMapping(gatewayOf(side)?.seenPorts ?? []);
    const field: Field<UdpSocket> = {
      checks: this.#checks,
      // Both may be others by the time of a later move.
      socket: () => side.socket,
      gateway: () => gatewayOf(side),
      targets: () => [...side.targets],
      openSocket: () => this.#openCheckedSocket(family),
    };
    const moves = planMoves(mapping, theirs, this.#s.role);
    const make = async (move: Move) => {
      // What is tried later is for those who have nothing better yet.
      const until = move.atMs === 0 ? signal : AbortSignal.any([signal, this.#s.direct]);
      await pause(move.atMs, until);
      if (!until.aborted) await play(move, field, until);
    };
    const makeAnew = async () => {
      await pause(ANEW_AFTER_MS, signal);
      if (signal.aborted || this.#checks.silentMs < ANEW_AFTER_MS) return;
      await this.#startAnew(side);
      await Promise.all(moves.filter(({ atMs }) => atMs === 0).map((move) => play(move, field, signal, ANEW_SLOWNESS)));
    };
    const mayBeSpoilt = mapping.kind === 'fixed' && (theirs.kind === 'fixed' || theirs.kind === 'sequential');
    await Promise.all([...moves.map(make), mayBeSpoilt && makeAnew()]);
  }

  /**
   * A gateway that let in the peer's packets before ours went out may have given ours another port since, and nobody
   * knows which. Another socket is one that no gateway has seen yet.
   */
  async #startAnew(side: Side): Promise<void> {
    const socket = await this.#openSocket(side.family);
    if (!socket) return;
    const seen = await this.#seeFromOutside(socket);
    side.socket = socket;
    this.#s.tell(this.#reflexive(socket, seen));
  }

  #selected({ socket, remote }: Pair<UdpSocket>): void {
    if (this.#over.signal.aborted) return;
    const { role, introduction } = this.#s;
    const { token } = introduction;
    const theirs = role === 'client' ? 'server' : 'client';
    const stream = socket.openStream(streamIdOf(token, role), streamIdOf(token, theirs), remote);
    this.#over.abort();
    this.#release();
    this.#s.opened('udp-punch', { stream, remote, dialled: role === 'client' });
  }

  #reportFailure(side: Side): void {
    const remote = gatewayOf(side) ?? side.targets[0];
    if (!remote) return;
    const [here, there] = [side.mapping, classifyMapping(remote.seenPorts)].map(describeMapping);
    this.#s.failed('udp-punch', remote, `did not open (ports here: ${here}, there: ${there})`);
  }

  async #openCheckedSocket(family: IpFamily): Promise<UdpSocket | null> {
    const socket = await this.#openSocket(family);
    if (socket) this.#checks.add(socket);
    return socket;
  }

  async #openSocket(family: IpFamily): Promise<UdpSocket | null> {
    const socket = await openUdpSocket(family);
    if (socket && this.#over.signal.aborted) {
      socket.release();
      return null;
    }
    if (socket) this.#sockets.add(socket);
    return socket;
  }

  /** Every socket but the one that carries the stream. */
  #release(): void {
    for (const socket of this.#sockets) socket.release();
    this.#sockets.clear();
  }
}

/** Where the peer's packets come from, as it told last. */
function gatewayOf({ targets }: Side): Candidate | null {
  return targets.findLast(({ type }) => type === 'reflexive') ?? null;
}

function udpOf(family: IpFamily, candidates: Candidate[]): Candidate[] {
  return candidates.filter(({ transport, address }) => transport === 'udp' && isOf(family, address));
}

function isOf(family: IpFamily, address: string): boolean {
  return net.isIP(address) === family;
}
