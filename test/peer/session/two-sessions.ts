import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { Journal } from '../../../src/peer/session/journal/journal.js';
import { Session } from '../../../src/peer/session/session.js';
import { LinkClosedError } from '../../../src/protocol/errors.js';
import type { Link } from '../../../src/protocol/link.js';
import type { PathKind } from '../../../src/protocol/messages.js';
import { openLink, roleOf } from '../../../src/protocol/peer-handshake.js';
import type { TlsCredentials } from '../../../src/protocol/tls.js';
import { newPair } from '../../support/credentials.js';

export const PAIR = newPair();
const HANDSHAKE_MS = 10_000;

export type EventOf<K extends SessionEvent['event']> = Extract<SessionEvent, { event: K }>;

/** One of the two: a session with its journal on disk, and all that it told its face. */
export class Person {
  readonly me: TlsCredentials;
  readonly peer: TlsCredentials;
  readonly folder: string;
  readonly into: string;
  readonly events: SessionEvent[] = [];
  /** When the face's output has taken what was told before. */
  whenShown: (then: () => void) => void = (then) => then();
  journal: Journal;
  session: Session;
  /** Called when the session has no link any more. */
  onLost: () => void = () => {};
  /** Called with every event, before anyone who waits for it. */
  onEvent: (event: SessionEvent) => void = () => {};
  readonly #waiting = new Set<() => void>();

  constructor(me: TlsCredentials, peer: TlsCredentials) {
    this.me = me;
    this.peer = peer;
    this.folder = mkdtempSync(join(tmpdir(), 'turbo-beep-session-'));
    this.into = join(this.folder, 'into');
    mkdirSync(join(this.folder, 'journal'), { mode: 0o700 });
    mkdirSync(this.into);
    this.journal = this.#openJournal();
    this.session = this.#newSession();
  }

  get isClient(): boolean {
    return roleOf(this.me.identity.id, this.peer.identity.id) === 'client';
  }

  all<K extends SessionEvent['event']>(kind: K): EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> => event.event === kind);
  }

  /** The texts of the peer's messages, each once, in the order in which they were first told. */
  heard(): string[] {
    const byId = new Map(this.all('message').flatMap((m) => (m.from === 'peer' ? [[m.id, m.text] as const] : [])));
    return [...byId.values()];
  }

  /** The first event that fits, told already or yet to come. */
  async event<K extends SessionEvent['event']>(
    kind: K,
    fits: (event: EventOf<K>) => boolean = () => true,
  ): Promise<EventOf<K>> {
    return this.until(() => this.all(kind).find(fits));
  }

  async until<T>(find: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  /** The peer has acknowledged everything, of which no event tells. */
  async allDelivered(): Promise<void> {
    await vi.waitFor(() => expect(this.journal.outboxSize()).toBe(0), { timeout: 10_000, interval: 5 });
  }

  /** Ends in order, and begins again. */
  async restart(): Promise<void> {
    await this.session.close();
    this.journal.close();
    this.#begin();
  }

  /** Begins again with what was on the disk at this very moment, as after a kill. */
  async crash(): Promise<void> {
    const copy = mkdtempSync(join(tmpdir(), 'turbo-beep-session-'));
    for (const part of ['journal', 'into']) cpSync(join(this.folder, part), join(copy, part), { recursive: true });
    await this.session.close();
    this.journal.close();
    for (const part of ['journal', 'into']) {
      rmSync(join(this.folder, part), { recursive: true });
      cpSync(join(copy, part), join(this.folder, part), { recursive: true });
    }
    rmSync(copy, { recursive: true });
    this.#begin();
  }

  /** Keeps a copy of the journal as it is now. */
  backUp(): void {
    rmSync(join(this.folder, 'backup'), { recursive: true, force: true });
    cpSync(join(this.folder, 'journal'), join(this.folder, 'backup'), { recursive: true });
  }

  /** Ends, and begins again with the journal as it was then. */
  async restoreBackup(): Promise<void> {
    await this.session.close();
    this.journal.close();
    rmSync(join(this.folder, 'journal'), { recursive: true });
    cpSync(join(this.folder, 'backup'), join(this.folder, 'journal'), { recursive: true });
    this.#begin();
  }

  async stop(): Promise<void> {
    this.onLost = () => {};
    await this.session.close();
    this.journal.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #begin(): void {
    this.journal = this.#openJournal();
    this.session = this.#newSession();
    this.session.replay();
  }

  #openJournal(): Journal {
    return Journal.open({ directory: join(this.folder, 'journal'), privateKey: this.me.identity.privateKey });
  }

  #newSession(): Session {
    return new Session({
      role: roleOf(this.me.identity.id, this.peer.identity.id),
      journal: this.journal,
      peerId: this.peer.identity.id,
      defaultInto: this.into,
      onPipeMismatch: () => {},
      onSuccession: () => () => {},
      emit: (event) => {
        this.events.push(event);
        this.onEvent(event);
        for (const wake of [...this.#waiting]) wake();
      },
      whenShown: (then) => this.whenShown(then),
      onLost: () => this.onLost(),
      onUse: () => {},
      onCandidates: () => {},
      onDoubt: () => {},
      onRemember: () => {},
    });
  }
}

export interface WireSetup {
  /** Bytes after which it is cut, both ways together. */
  carries?: number | undefined;
  /** Each way. */
  bytesPerMs?: number | undefined;
}

const TICK_MS = 5;

/** A connection over loopback that carries as much as a test wants, and as quickly. */
export class Wire {
  readonly ends: [net.Socket, net.Socket];
  /** Resolves when both ends have closed. */
  readonly closed: Promise<unknown>;
  /** Bytes so far, both ways together. */
  carried = 0;
  readonly #middle: [net.Socket, net.Socket];
  readonly #bytesPerMs: number;
  #left: number;

  private constructor(ends: [net.Socket, net.Socket], middle: [net.Socket, net.Socket], o: WireSetup) {
    const { carries = Number.POSITIVE_INFINITY, bytesPerMs = Number.POSITIVE_INFINITY } = o;
    this.ends = ends;
    this.#middle = middle;
    this.#left = carries;
    this.#bytesPerMs = bytesPerMs;
    for (const socket of [...ends, ...middle]) socket.on('error', () => {});
    this.closed = Promise.all(ends.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    this.#carry(middle[0], middle[1]);
    this.#carry(middle[1], middle[0]);
    if (carries === 0) this.cut();
  }

  static async open(o: WireSetup = {}): Promise<Wire> {
    const [one, other] = await Promise.all([pairOfSockets(), pairOfSockets()]);
    return new Wire([one[0], other[0]], [one[1], other[1]], o);
  }

  cut(): void {
    for (const socket of this.#middle) socket.destroy();
  }

  /** From now on nothing passes, and neither end is told. */
  freeze(): void {
    for (const socket of this.#middle) socket.removeAllListeners('close').removeAllListeners('data').pause();
  }

  #carry(from: net.Socket, to: net.Socket): void {
    from.on('data', (bytes) => {
      const passed = bytes.subarray(0, this.#left);
      this.#left -= passed.length;
      this.carried += passed.length;
      const isFull = passed.length > 0 && !to.write(passed);
      if (isFull || this.#bytesPerMs !== Number.POSITIVE_INFINITY) this.#pause(from, to, isFull, passed.length);
      // What was passed on still arrives; then both find the connection closed.
      if (this.#left === 0) for (const socket of this.#middle) socket.destroySoon();
    });
    from.on('close', () => to.destroySoon());
  }

  #pause(from: net.Socket, to: net.Socket, isFull: boolean, bytes: number): void {
    from.pause();
    if (isFull) to.once('drain', () => from.resume());
    else setTimeout(() => from.resume(), Math.max(TICK_MS, bytes / this.#bytesPerMs));
  }
}

export interface LinkSetup extends WireSetup {
  path?: PathKind;
  generation?: number;
  signallingOnly?: boolean;
}

/** Two people, and links between their sessions whenever a test wants one. */
export class TwoSessions {
  /** The TLS client of their links. */
  readonly small = new Person(PAIR.small, PAIR.great);
  readonly great = new Person(PAIR.great, PAIR.small);
  readonly #wires: Wire[] = [];
  #generation = 0;

  /** Opens a link and adds it to both sessions, or to those whose handshake came to its end. Generations rise by themselves. */
  async link({ path = 'tcp-direct', generation, signallingOnly = false, ...wiring }: LinkSetup = {}): Promise<Wire> {
    const number = generation ?? this.#generation + 1;
    this.#generation = number;
    for (const { session } of [this.small, this.great]) session.prepare();
    const wire = await Wire.open(wiring);
    this.#wires.push(wire);
    const [one, other] = wire.ends;
    const shake = (person: Person, socket: net.Socket, dialled: boolean) =>
      this.#shakeHands(person, socket, { path, dialled, signallingOnly, generation: number });
    await Promise.all([shake(this.small, one, true), shake(this.great, other, false)]);
    return wire;
  }

  /** From now on a new link follows whenever both have lost theirs. */
  mendAutomatically(setup: () => LinkSetup = () => ({})): void {
    const mend = () => {
      if (this.small.session.active || this.great.session.active) return;
      this.link(setup()).catch(() => {});
    };
    this.small.onLost = mend;
    this.great.onLost = mend;
  }

  async stop(): Promise<void> {
    await Promise.all([this.small.stop(), this.great.stop()]);
    for (const wire of this.#wires) wire.cut();
  }

  async #shakeHands(
    person: Person,
    socket: net.Socket,
    o: { path: PathKind; dialled: boolean; signallingOnly: boolean; generation: number },
  ): Promise<Link | null> {
    const { session } = person;
    try {
      const link = await openLink(
        socket,
        {
          credentials: person.me,
          peer: person.peer.identity,
          path: o.path,
          dialled: o.dialled,
          remote: '127.0.0.1:1',
          sameNetwork: o.path !== 'relay',
          signallingOnly: o.signallingOnly,
          runId: session.runId,
          journalId: session.journalId,
        },
        AbortSignal.timeout(HANDSHAKE_MS),
      );
      if (session === person.session) session.add(link, o.generation);
      else link.destroy(new LinkClosedError('the program was started again meanwhile'));
      return link;
    } catch {
      socket.destroy();
      return null;
    }
  }
}

/** Both say numbered things, and both must hear all of it, once and in order. */
export class Talk {
  readonly #both: TwoSessions;
  readonly #said = { small: [] as string[], great: [] as string[] };

  constructor(sessions: TwoSessions) {
    this.#both = sessions;
  }

  say(count: number): void {
    for (let at = 0; at < count; at++) {
      for (const name of ['small', 'great'] as const) {
        const text = `${name} ${this.#said[name].length}`;
        this.#said[name].push(text);
        this.#both[name].session.message(text);
      }
    }
  }

  isOver(): boolean {
    const { small, great } = this.#both;
    return great.heard().length >= this.#said.small.length && small.heard().length >= this.#said.great.length;
  }

  async end(): Promise<void> {
    const { small, great } = this.#both;
    await great.until(() => great.heard().length >= this.#said.small.length);
    await small.until(() => small.heard().length >= this.#said.great.length);
    expect(great.heard()).toEqual(this.#said.small);
    expect(small.heard()).toEqual(this.#said.great);
    for (const person of [small, great]) {
      const fresh = person.all('message').filter(({ from, replayed }) => from === 'peer' && !replayed);
      expect(new Set(fresh.map(({ id }) => id)).size).toBe(fresh.length);
      await person.allDelivered();
    }
  }
}

async function pairOfSockets(): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ noDelay: true });
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dialled = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const pair: [net.Socket, net.Socket] = [dialled, await accepted];
  server.close();
  return pair;
}
