import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import type { PathFactory } from '../../../src/peer/paths/path.js';
import type { MapPort } from '../../../src/peer/paths/port-mapping/port-mapper.js';
import { preferenceOf } from '../../../src/peer/paths/preference.js';
import { type Attempt, Race, type RaceOptions } from '../../../src/peer/paths/race.js';
import { tcpDirect } from '../../../src/peer/paths/tcp-direct.js';
import type { Link } from '../../../src/protocol/link.js';
import type { Candidate, Introduction, PathKind } from '../../../src/protocol/messages.js';
import type { TlsCredentials } from '../../../src/protocol/tls.js';
import { newPair } from '../../support/credentials.js';
import { INTRODUCTION } from './surroundings.js';

export const PAIR = newPair();

/** Joins the first two connections that come, and carries their bytes: what a race needs of a mediator. */
export class SimpleRelay {
  readonly server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #waiting: net.Socket | null = null;

  private constructor() {
    this.server = net.createServer((socket) => this.#join(socket));
  }

  static async start(): Promise<SimpleRelay> {
    const relay = new SimpleRelay();
    relay.server.listen(0, '127.0.0.1');
    await once(relay.server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    const other = this.#waiting;
    this.#waiting = other ? null : socket;
    if (!other) return;
    socket.pipe(other).pipe(socket);
    socket.on('close', () => other.destroy());
    other.on('close', () => socket.destroy());
  }
}

export interface RacerSetup {
  me: TlsCredentials;
  peer: TlsCredentials;
  relay: SimpleRelay;
  introduction?: Partial<Introduction>;
  allowed?: PathKind[];
  factories?: Partial<Record<PathKind, PathFactory>>;
  hostCandidates?: boolean;
  mapPort?: MapPort;
  examining?: true;
}

/** One race, with what came of it. Candidates that its links bring go to it, as the session would see to. */
export class Racer {
  readonly race: Race;
  readonly links: Link[] = [];
  readonly impostors: string[] = [];
  readonly attempts: Attempt[] = [];
  readonly told: Candidate[][] = [];
  readonly #waiting = new Set<() => void>();

  constructor(setup: RacerSetup) {
    const { me, peer, relay, introduction, allowed = ['tcp-direct', 'relay'], factories } = setup;
    const options: RaceOptions = {
      introduction: { ...INTRODUCTION, ...introduction },
      mediator: {
        local: { address: '127.0.0.1', port: 9 },
        remote: { address: '127.0.0.1', port: relay.port },
        addresses: ['127.0.0.1'],
      },
      credentials: me,
      peer: peer.identity,
      runId: randomBytes(16).toString('hex'),
      journalId: randomBytes(16).toString('hex'),
      factories: factories ?? { 'tcp-direct': tcpDirect },
      allowed,
      hostCandidates: setup.hostCandidates ?? true,
      mapPort: setup.mapPort ?? null,
      preferenceOf,
      ...(setup.examining && { examining: true }),
      onLink: (link) => this.#attach(link),
      onImpostor: (_, remote) => this.#changed(() => this.impostors.push(remote)),
      onAttempt: (attempt) => this.#changed(() => this.attempts.push(attempt)),
    };
    this.race = new Race(options);
  }

  /** Resolves when this is no longer undefined. */
  async until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  linkOver(path: PathKind): Promise<Link> {
    return this.until(() => this.links.find(({ facts }) => facts.path === path));
  }

  stop(): void {
    this.race.stop();
    for (const link of this.links) link.destroy(new Error('the test is over'));
  }

  #attach(link: Link): void {
    link.attach({
      onMessage: (_, message) => {
        if (message.kind !== 'candidates') return;
        this.#changed(() => this.told.push(message.candidates));
        if (message.introductionId === this.race.introductionId) this.race.peerCandidates(message.candidates);
      },
      onData: () => {},
      onDrain: () => {},
      onDoubt: () => {},
      onClose: () => this.#changed(() => {}),
    });
    this.#changed(() => this.links.push(link));
  }

  #changed(change: () => unknown): void {
    change();
    for (const wake of [...this.#waiting]) wake();
  }
}
