import { randomBytes } from 'node:crypto';
import type { Link } from '../../../src/protocol/link.js';
import type { Held, ItemBody, ManifestEntry, PeerMessage } from '../../../src/protocol/messages.js';
import { openLink } from '../../../src/protocol/peer-handshake.js';
import { type Person, Wire } from './two-sessions.js';

type Kind = PeerMessage['kind'];
type Of<K extends Kind> = Extract<PeerMessage, { kind: K }>;

/** A peer with the right key, all of whose words a test chooses, but for those that say how much data it has taken in. */
export class HandDrivenPeer {
  readonly link: Link;
  readonly journalId = randomBytes(16).toString('hex');
  readonly runId: string;
  readonly received: PeerMessage[] = [];
  /** Why the other side, or the network, ended the link. */
  readonly ended: Promise<Error>;
  isEnded = false;
  /** Bytes of data that have come, of all streams. */
  dataBytes = 0;
  #sequence = 0;
  readonly #consumed = new Map<number, number>();
  readonly #waiting = new Set<() => void>();

  private constructor(link: Link, runId: string) {
    this.link = link;
    this.runId = runId;
    this.ended = new Promise((resolve) => {
      link.attach({
        onMessage: (_, message) => {
          this.received.push(message);
          this.#changed();
        },
        onData: (_, { stream, content }) => {
          this.dataBytes += content.length;
          this.#consume(stream, content.length);
        },
        onDrain: () => {},
        onDoubt: () => {},
        onClose: (_, reason) => {
          this.isEnded = true;
          resolve(reason);
          this.#changed();
        },
      });
    });
  }

  /** Authenticated, and not yet the session's link. @param earlier another link of the same peer, if there is one */
  static async link(victim: Person, earlier?: HandDrivenPeer): Promise<HandDrivenPeer> {
    const wire = await Wire.open();
    const common = { dialled: true, remote: '127.0.0.1:1', sameNetwork: true, signallingOnly: false } as const;
    const signal = new AbortController().signal;
    const runId = earlier?.runId ?? randomBytes(16).toString('hex');
    const ids = { runId, journalId: randomBytes(16).toString('hex') };
    const { session, me, peer } = victim;
    const [theirs, mine] = await Promise.all([
      openLink(
        wire.ends[0],
        {
          ...common,
          credentials: me,
          peer: peer.identity,
          path: 'tcp-direct',
          runId: session.runId,
          journalId: session.journalId,
        },
        signal,
      ),
      openLink(wire.ends[1], { ...common, credentials: peer, peer: me.identity, path: 'tcp-direct', ...ids }, signal),
    ]);
    const driven = new HandDrivenPeer(mine, runId);
    session.add(theirs, earlier ? 2 : 1);
    return driven;
  }

  /** The session's link: activated as an honest peer does. */
  static async connect(victim: Person, held: Partial<Held> = {}): Promise<HandDrivenPeer> {
    const driven = await HandDrivenPeer.link(victim);
    if (victim.isClient) {
      const { epoch } = await driven.next('activate');
      driven.send({ kind: 'activated', epoch, held: driven.held(held) });
    } else {
      driven.send({ kind: 'activate', epoch: 1, path: 'tcp-direct', why: '', held: driven.held(held) });
      await driven.next('activated');
    }
    await victim.event('connected');
    return driven;
  }

  held(more: Partial<Held> = {}): Held {
    return { peerJournalId: '', peerSequence: 0, journalId: this.journalId, firstSequence: 1, ...more };
  }

  send(message: PeerMessage): void {
    this.link.send(message);
  }

  /** The next items of this journal, in order. */
  items(...bodies: ItemBody[]): void {
    for (const body of bodies) {
      this.#sequence += 1;
      this.send({ kind: 'item', sequence: this.#sequence, atMs: 1_700_000_000_000, body });
    }
  }

  offer(transfer: string, entries: ManifestEntry[], more: { entries?: number; bytes?: number } = {}): void {
    const bytes = entries.reduce((sum, { size }) => sum + size, 0);
    if (entries.length > 0) this.items({ kind: 'manifestPart', transfer, entries });
    this.items({ kind: 'offer', transfer, entries: entries.length, bytes, ...more });
  }

  /** The first such message, heard already or yet to come. */
  async next<K extends Kind>(kind: K, fits: (message: Of<K>) => boolean = () => true): Promise<Of<K>> {
    for (;;) {
      const found = this.received.find((message): message is Of<K> => message.kind === kind && fits(message as Of<K>));
      if (found) return found;
      if (this.isEnded) throw new Error(`no ${kind} came before the link ended: ${(await this.ended).message}`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  /** The other side's item of this kind. */
  async nextItem<K extends ItemBody['kind']>(kind: K): Promise<Extract<ItemBody, { kind: K }>> {
    const { body } = await this.next('item', (item) => item.body.kind === kind);
    return body as Extract<ItemBody, { kind: K }>;
  }

  /** Everything said until now was taken in. */
  async settled(): Promise<void> {
    await this.link.probe(10_000);
  }

  #consume(stream: number, length: number): void {
    const bytes = (this.#consumed.get(stream) ?? 0) + length;
    this.#consumed.set(stream, bytes);
    this.send({ kind: 'consumed', stream, bytes });
  }

  #changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

export function newTransferId(): string {
  return randomBytes(16).toString('hex');
}

export function fileEntry(path: string, more: Partial<ManifestEntry> = {}): ManifestEntry {
  return { path, directory: false, size: 10, mode: 0o644, mtimeMs: 1_700_000_000_000, ...more };
}
