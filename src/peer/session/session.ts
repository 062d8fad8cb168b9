import type { UserError } from '../../protocol/errors.js';
import type { Link, LinkFacts } from '../../protocol/link.js';
import type { Candidate, Held, Remember } from '../../protocol/messages.js';
import { DISAPPEAR } from '../../protocol/peer-handshake.js';
import type { Role } from '../../protocol/transcripts.js';
import { Connection } from './connection.js';
import { Disappearing } from './disappearing.js';
import type { SessionEvent, StatusEvent } from './events.js';
import { Inbox } from './inbox.js';
import type { AfterCommit, Journal } from './journal/journal.js';
import type { ContentMessage } from './links.js';
import { Outbox } from './outbox.js';
import type { Pipe } from './pipe.js';
import { Streams } from './streams.js';
import { Texts } from './texts.js';
import { Transfers } from './transfers/transfers.js';
import { Troubles } from './trouble.js';

/** No ref that a person or a program gives begins like this. */
const SUCCESSION_REF = '\u0000succession ';

export interface SessionOptions {
  role: Role;
  journal: Journal;
  peerId: string;
  /** One of the peer's items, inside the journal's transaction. */
  onSuccession(statement: string): AfterCommit;
  /** One side runs a pipe and the other does not: whose it is. */
  onPipeMismatch(whose: 'me' | 'peer'): void;
  /** Where offers are received that are accepted without naming a folder. */
  defaultInto: string;
  emit(event: SessionEvent): void;
  /** Calls back when what was emitted before has left this process. */
  whenShown(then: () => void): void;
  /** The last link is gone: find another way to the peer. */
  onLost(): void;
  /** The session's link may be dead: make another ready, from which it can go on. */
  onDoubt(): void;
  /** The session moved to this link. */
  onUse(link: Link): void;
  onCandidates(introductionId: string, candidates: Candidate[]): void;
  onRemember(link: Link, message: Remember): void;
}

/**
 * Two people talking, across links.
 *
 * The way of a message: Texts (`say`) journals it (1) and hands it to the Outbox, which sends it over the active Link
 * (2). The peer's Inbox takes it from its Link (`receive`) and journals it (3); its Texts tells the face (4) and marks it
 * shown (5); the Inbox acknowledges it (6). The Ack comes back to the Outbox (`acknowledged`), the journal forgets to
 * resend it, and the face is told that it was delivered (7). Whatever is killed in between, the next link begins with what each
 * side holds (`Held`), and everything from (2) on happens again for what the other lacks; sequence numbers make it
 * happen once.
 */
export class Session {
  readonly #o: SessionOptions;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #texts: Texts;
  readonly #transfers: Transfers;
  readonly #streams: Streams;
  readonly #disappearing: Disappearing;
  readonly #troubles = new Troubles();
  readonly #closing = new AbortController();

  constructor(options: SessionOptions) {
    const { journal, emit } = options;
    const onTrouble = (error: UserError) => this.#trouble(error);
    this.#o = options;
    this.#outbox = new Outbox(journal);
    this.#transfers = new Transfers({ journal, outbox: this.#outbox, emit }, options.defaultInto);
    this.#streams = new Streams(this.#transfers, options.onPipeMismatch);
    this.#disappearing = new Disappearing({
      role: () => this.#connection.role,
      journal,
      emit,
      flush: () => this.#outbox.flush(),
    });
    const { whenShown } = options;
    this.#texts = new Texts({
      journal,
      outbox: this.#outbox,
      disappearing: this.#disappearing,
      emit,
      whenShown,
      onTrouble,
    });
    this.#inbox = new Inbox({
      journal,
      texts: this.#texts,
      transfers: this.#transfers,
      disappearing: this.#disappearing,
      onSuccession: options.onSuccession,
      link: () => this.#connection.link,
    });
    this.#connection = new Connection({
      role: options.role,
      peerId: options.peerId,
      emit,
      held: () => journal.held(),
      reconcile: (held) => this.#reconcile(held),
      onHold: () => this.#hold(),
      onUse: (link) => this.#use(link),
      onLost: () => this.#lost(),
      onLeft: () => this.#streams.peerLeft(),
      onContent: (_, message) => this.#handle(message),
      onData: (_, chunk) => this.#streams.data(chunk),
      onDrain: () => this.#streams.drained(),
      onCandidates: options.onCandidates,
      onDoubt: options.onDoubt,
      onTrouble,
    });
  }

  /** New for each process and each change of keys: a link from another run of the peer means that the old run is gone. */
  get runId(): string {
    return this.#connection.runId;
  }

  get journalId(): string {
    return this.#o.journal.id;
  }

  /** The link that carries the session, and why it does. */
  get active(): { link: Link; why: string } | null {
    return this.#connection.active;
  }

  /** Tells what an earlier run of this program had received and not yet shown, and ends what it was ending. */
  replay(): void {
    this.#transfers.incoming.discardLeftovers();
    this.#texts.replay();
    this.#transfers.incoming.offers.replay();
    this.#disappearing.start();
  }

  /** A link may come at any moment: begins what does not need it yet, and takes long. */
  prepare(): void {
    this.#transfers.prepare();
  }

  /** Of two links the session would rather have the lower. */
  preferenceOf(facts: Pick<LinkFacts, 'path' | 'sameNetwork'>): number {
    return this.#connection.preferenceOf(facts);
  }

  /** @param generation rising with each introduction */
  add(link: Link, generation: number): void {
    this.#connection.add(link, generation);
  }

  /** Runs a pipe beside the conversation, from the next link on. */
  attachPipe(pipe: Pipe): void {
    this.#streams.attachPipe(pipe);
  }

  message(text: string, ref?: string): string {
    return this.#texts.say(text, ref);
  }

  send(paths: string[], ref?: string): Promise<string> {
    return this.#transfers.outgoing.offers.offer(paths, ref, this.#closing.signal);
  }

  sendOrResume(paths: string[]): Promise<string> {
    return this.#transfers.outgoing.offers.resumeOrOffer(paths, this.#closing.signal);
  }

  expectOffers(): void {
    this.#transfers.incoming.expect();
  }

  accept(transfer: string, into?: string): Promise<void> {
    return this.#transfers.incoming.offers.accept(transfer, into);
  }

  decline(transfer: string): void {
    this.#transfers.incoming.offers.decline(transfer);
  }

  cancel(transfer: string): void {
    this.#transfers.cancel(transfer);
  }

  read(ids: readonly string[]): void {
    this.#texts.read(ids);
  }

  /** Proposes that messages live so long after delivery; 0: for ever. */
  disappear(seconds: number): void {
    const features = this.active?.link.facts.hello.features;
    this.#disappearing.propose(seconds, features ? features.includes(DISAPPEAR) : null);
  }

  /** To what the peer has proposed. */
  answerDisappear(agreed: boolean): void {
    this.#disappearing.answer(agreed);
  }

  status(otherwise: StatusEvent['state']): Omit<StatusEvent, 'verified'> {
    return {
      event: 'status',
      state: this.#connection.isConnected ? 'connected' : otherwise,
      path: this.active?.link.facts.path ?? null,
      transfers: this.#transfers.statuses(),
      outbox: this.#o.journal.outboxSize(),
      disappearing: this.#disappearing.status(),
    };
  }

  /** Resolves when the peer has everything that was said, when there is no link to say it over, or after `ms`. */
  async flush(ms: number): Promise<void> {
    if (this.#connection.isConnected) await this.#outbox.whenEmpty(ms);
  }

  /**
   * One of the two keys has changed, and with it who is who: the session goes on over new links, and what the old ones
   * had not finished goes on there. Not to be called from inside what a link tells.
   */
  changeKeys(role: Role, peerId: string): void {
    this.#connection.changeKeys(role, peerId);
    this.#outbox.stopWaiting();
  }

  /** Tells the peer, once, of keys that follow the one of this session. @param statements hex, the oldest first */
  tellSuccessions(statements: { id: string; statement: string }[]): void {
    const { journal } = this.#o;
    for (const { id, statement } of statements) {
      journal.append({ kind: 'succession', statement }, Date.now(), `${SUCCESSION_REF}${id}`);
    }
    this.#outbox.flush();
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the session was closed'));
    this.#disappearing.stop();
    this.#texts.stop();
    await Promise.all([this.#connection.end(), this.#streams.close()]);
  }

  #trouble({ exitCode: code, message, hint }: UserError): void {
    if (this.#troubles.isNews('', message, performance.now())) this.#o.emit({ event: 'error', code, message, hint });
  }

  #hold(): void {
    this.#outbox.stop();
    this.#streams.stop();
  }

  #reconcile(held: Held): boolean {
    const { journal, emit } = this.#o;
    const before = journal.id;
    const delivered = journal.transaction(() => {
      const isBehind = journal.isBehind(held);
      const ids = journal.reconcile(held);
      if (isBehind) this.#transfers.outgoing.offers.offerAgain();
      return ids;
    });
    for (const id of delivered) emit({ event: 'delivered', id });
    this.#disappearing.schedule();
    return journal.id === before;
  }

  #use(link: Link): void {
    this.#o.onUse(link);
    this.#outbox.start(link);
    this.#streams.start(link);
  }

  #lost(): void {
    this.#outbox.stopWaiting();
    this.#o.onLost();
  }

  #handle(message: ContentMessage): void {
    switch (message.kind) {
      case 'item':
        this.#inbox.receive(message);
        break;
      case 'ack':
        for (const id of this.#outbox.acknowledged(message.journalId, message.sequence)) {
          this.#o.emit({ event: 'delivered', id });
        }
        this.#disappearing.schedule();
        break;
      case 'remember':
        if (this.#connection.link) this.#o.onRemember(this.#connection.link, message);
        break;
      default:
        this.#streams.message(message);
    }
  }
}
