import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatEndpoint, plainAddress } from '../../protocol/address.js';
import { HANDSHAKE_DEADLINE_MS, TOKEN_BYTES } from '../../protocol/constants.js';
import { errorMessage, UserError, WrongPeerError } from '../../protocol/errors.js';
import type { Link } from '../../protocol/link.js';
import type { Candidate, Remember } from '../../protocol/messages.js';
import { openLink, roleOf } from '../../protocol/peer-handshake.js';
import { withDeadline } from '../deadline.js';
import { dial } from '../dial.js';
import { hostAddresses, isOnOwnNetwork } from '../paths/addresses.js';
import { vetCandidates } from '../paths/candidates.js';
import type { OpenedStream } from '../paths/path.js';
import type { MapPort } from '../paths/port-mapping/port-mapper.js';
import { exchangePrefaces } from '../paths/prefaces.js';
import type { Attempt, RaceTerms } from '../paths/race.js';
import { SendBudget } from '../paths/send-budget.js';
import { listen } from '../paths/tcp-direct.js';
import { WaitingRoom } from '../paths/waiting-room.js';
import { type RememberedPeer, readRemembered, writeRemembered } from './remembered-peer.js';

export interface ServerlessOptions
  extends Pick<RaceTerms, 'credentials' | 'peer' | 'runId' | 'journalId' | 'hostCandidates'> {
  /** Null: the gateway is not asked for anything. */
  mapPort: MapPort | null;
  /** The encrypted place where it is kept between runs. */
  store: { load(): string; save(text: string): void };
  onLink(link: Link): void;
  onImpostor(): void;
  onAttempt(attempt: Attempt): void;
}

const SEEK_EVERY_MS = 3_000;
/** Of dials in ten minutes, to one address and in all: an honest peer's few addresses need less. */
const seekBudget = new SendBudget(300, 1_200);
const CONNECT_TIMEOUT_MS = 4_000;

/**
 * Meets the peer without the mediator: inside each session both tell where they listen and agree on a token, and when the
 * mediator is away later they dial each other there, with the token in an introduction's place. It opens a session
 * wherever one of the two can be reached.
 */
export class ServerlessMeeting {
  readonly #o: ServerlessOptions;
  readonly #stopping = new AbortController();
  #known: RememberedPeer;
  #listener: Promise<net.Server | null> | null = null;
  #seeking: AbortController | null = null;
  readonly #strangers = new WaitingRoom();
  /** What the gateway made of the listening port. */
  #mapped: Candidate | 'asked' | null = null;
  #toldOver: Link | null = null;

  constructor(options: ServerlessOptions) {
    this.#o = options;
    // As many listen to it as there are strangers at the door: Node's warning would end up on the person's screen.
    setMaxListeners(0, this.#stopping.signal);
    this.#known = readRemembered(options.store.load(), Date.now());
  }

  /** There is somebody to look for without a mediator. */
  get hopes(): boolean {
    return this.#known.tokens.length > 0;
  }

  /** Listens where the peer was told, if they have met before. */
  start(): void {
    if (this.hopes) this.#listen().then((port) => this.#map(port));
  }

  stop(): void {
    this.#stopping.abort(new Error('stopped'));
    this.rest();
    this.#listener?.then((server) => server?.close());
  }

  /** The mediator is away and there is no link: dials the peer again and again. */
  seek(): void {
    if (this.#seeking || !this.hopes) return;
    this.#seeking = new AbortController();
    this.#seek(this.#seeking.signal).catch(() => {});
  }

  rest(): void {
    this.#seeking?.abort(new Error('no need'));
    this.#seeking = null;
  }

  /** A session has this link: the TLS client begins to agree on the next time. */
  agree(link: Link, mediatorOnLoopback: boolean | null): Promise<void> {
    return orForget(this.#agree(link, mediatorOnLoopback));
  }

  /** What the peer told of itself inside the session. */
  told(link: Link, message: Remember): Promise<void> {
    return orForget(this.#told(link, message));
  }

  async #agree(link: Link, mediatorOnLoopback: boolean | null): Promise<void> {
    const port = await this.#listen();
    if (link.closed || port === 0 || this.#stopping.signal.aborted) return;
    this.#keep({ ...this.#known, port, loopbackAllowed: mediatorOnLoopback ?? this.#known.loopbackAllowed });
    this.#map(port);
    if (link.facts.role === 'client') {
      this.#adopt(randomBytes(TOKEN_BYTES));
      this.#tell(link);
    }
  }

  async #told(link: Link, { token, candidates }: Remember): Promise<void> {
    await this.#listen();
    if (this.#stopping.signal.aborted) return;
    if (link.facts.role === 'server') {
      this.#adopt(token);
      this.#tell(link);
    }
    if (!this.#known.tokens[0]?.equals(token)) return;
    this.#keep({ ...this.#known, candidates: vetCandidates(candidates, this.#known.loopbackAllowed) });
  }

  #adopt(token: Buffer): void {
    if (this.#known.tokens[0]?.equals(token)) return;
    this.#keep({ ...this.#known, tokens: [token, ...this.#known.tokens].slice(0, 2), rememberedAtMs: Date.now() });
  }

  #keep(known: RememberedPeer): void {
    this.#known = known;
    this.#o.store.save(writeRemembered(known));
  }

  /** As long as the program runs: a later run asks for the same port again. The peer is told when it is there. */
  async #map(port: number): Promise<void> {
    const { mapPort } = this.#o;
    if (!mapPort || port === 0 || this.#mapped || this.#known.loopbackAllowed) return;
    this.#mapped = 'asked';
    try {
      const request = { transport: 'tcp', internalPort: port, signal: this.#stopping.signal } as const;
      const { external } = await mapPort(request);
      this.#mapped = { type: 'mapped', transport: 'tcp', ...external, seenPorts: [] };
      if (this.#toldOver && !this.#toldOver.closed) this.#tell(this.#toldOver);
    } catch {
      this.#mapped = null;
    }
  }

  #tell(link: Link): void {
    this.#toldOver = link;
    const { tokens, port, loopbackAllowed } = this.#known;
    const [token] = tokens;
    if (!token) return;
    const addresses = this.#o.hostCandidates ? hostAddresses(loopbackAllowed) : [];
    const candidates = addresses.map(
      (address): Candidate => ({ type: 'host', transport: 'tcp', address, port, seenPorts: [] }),
    );
    if (this.#mapped && this.#mapped !== 'asked') candidates.push(this.#mapped);
    link.send({ kind: 'remember', token, candidates });
  }

  /** Resolves to the port, 0 if there is none to be had. */
  async #listen(): Promise<number> {
    this.#listener ??= listenAgain(this.#known.port, (socket) => this.#accept(socket));
    const server = await this.#listener;
    if (this.#stopping.signal.aborted) server?.close();
    const address = server?.address();
    return address && typeof address === 'object' ? address.port : 0;
  }

  #accept(socket: net.Socket): void {
    socket.setNoDelay(true);
    const remote = { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
    this.#shakeHands({ stream: socket, remote, dialled: false }, this.#known.tokens);
  }

  async #seek(signal: AbortSignal): Promise<void> {
    for (let round = 0; !signal.aborted; round += 1) {
      const { tokens, candidates } = this.#known;
      const token = tokens[round % tokens.length];
      await Promise.all(
        candidates.filter(({ transport }) => transport === 'tcp').map((each) => this.#dial(each, token, signal)),
      );
      await sleep(SEEK_EVERY_MS * (0.5 + Math.random()), undefined, { signal });
    }
  }

  async #dial(candidate: Candidate, token: Buffer | undefined, signal: AbortSignal): Promise<void> {
    const { address: host, port } = candidate;
    if (!seekBudget.spend(host, performance.now())) return;
    try {
      const stream = await dial({ host, port }, CONNECT_TIMEOUT_MS, signal);
      await this.#shakeHands({ stream, remote: candidate, dialled: true }, token ? [token] : []);
    } catch (error) {
      if (!signal.aborted) this.#report(formatEndpoint(candidate), error);
    }
  }

  async #shakeHands(opened: OpenedStream, tokens: Buffer[]): Promise<void> {
    opened.stream.on('error', () => {});
    if (this.#stopping.signal.aborted) {
      opened.stream.destroy();
      return;
    }
    if (!opened.dialled) this.#strangers.enter(opened);
    try {
      this.#o.onLink(await this.#secure(opened, tokens));
    } catch (error) {
      opened.stream.destroy();
      if (error instanceof WrongPeerError) this.#o.onImpostor();
      if (opened.dialled) this.#report(formatEndpoint(opened.remote), error);
    }
  }

  #secure(opened: OpenedStream, tokens: Buffer[]): Promise<Link> {
    const { credentials, peer, runId, journalId } = this.#o;
    const role = roleOf(credentials.identity.id, peer.id);
    const handshake = {
      credentials,
      peer,
      runId,
      journalId: journalId(),
      path: 'tcp-direct' as const,
      dialled: opened.dialled,
      remote: formatEndpoint(opened.remote),
      sameNetwork: isOnOwnNetwork(opened.remote.address),
      signallingOnly: false,
    };
    return withDeadline(HANDSHAKE_DEADLINE_MS, this.#stopping.signal, async (signal) => {
      await exchangePrefaces(opened, tokens, role, signal);
      this.#strangers.leave(opened);
      return openLink(opened.stream, handshake, signal);
    });
  }

  #report(remote: string, error: unknown): void {
    this.#o.onAttempt({ path: 'tcp-direct', remote, outcome: `without the mediator: ${errorMessage(error)}` });
  }
}

/** What a full disk does not take is missing at the next meeting without a mediator, and nowhere else. */
async function orForget(remembering: Promise<void>): Promise<void> {
  try {
    await remembering;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
}

/** On the same port as the last time, which the peer remembers; on another if that is taken; null if on none. */
async function listenAgain(port: number, onConnection: (socket: net.Socket) => void): Promise<net.Server | null> {
  for (const each of [port, 0]) {
    const server = await listen({ port: each }, onConnection).catch(() => null);
    if (server) return server;
  }
  return null;
}
