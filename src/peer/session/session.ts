import { randomBytes } from 'node:crypto';
import { MAX_TEXT_BYTES } from '../../protocol/constants.js';
import type { DataChunk } from '../../protocol/data-frames.js';
import { ExitCode, ProtocolError, UserError } from '../../protocol/errors.js';
import type { Link } from '../../protocol/link.js';
import type { Candidate, Held, Item, Remember } from '../../protocol/messages.js';
import { DISAPPEAR } from '../../protocol/peer-handshake.js';
import type { Role } from '../../protocol/transcripts.js';
import { Disappearing } from './disappearing.js';
import type { SessionEvent, StatusEvent } from './events.js';
import type { Appended, Journal } from './journal/journal.js';
import { type ContentMessage, SessionLinks } from './links.js';
import { Outbox } from './outbox.js';
import { PIPE_STREAM, type Pipe } from './pipe.js';
import type { AfterCommit } from './transfer-context.js';
import { Transfers } from './transfers.js';
import { Troubles } from './trouble.js';

/** No ref that a person or a program gives begins like this. */
const SUCCESSION_REF = '\u0000succession ';

export interface SessionOptions {
  role: Role;
  journal: Journal;
  peerId: string;
  /** One of the peer's items, inside the journal's transaction. */
  onSuccession(statement: string): AfterCommit;
  /** Where offers are received that are accepted without naming a folder. */
  defaultInto: string;
  emit(event: SessionEvent): void;
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
 * The way of a message: `message` journals it (1) and hands it to the Outbox, which sends it over the active Link (2).
 * The peer's Session takes it from its Link (`#receiveItem`), journals it (3), acknowledges it (4), tells its face (5)
 * and marks it shown (6). The Ack comes back here (`acknowledged`), the journal forgets to resend it, and the face is
 * told that it was delivered (7). Whatever is killed in between, the next link begins with what each side holds
 * (`Held`), and everything from (2) on happens again for what the other lacks; sequence numbers make it happen once.
 */
export class Session {
  #runId = newRunId();
  #peerId: string;
  #role: Role;
  readonly #o: SessionOptions;
  #links: SessionLinks;
  readonly #outbox: Outbox;
  readonly #transfers: Transfers;
  readonly #disappearing: Disappearing;
  readonly #troubles = new Troubles();
  readonly #closing = new AbortController();
  #pipe: Pipe | null = null;
  #connected = false;
  /** The peer has acknowledged something, or is gone. */
  #onProgress: () => void = () => {};
  #why = '';

  constructor(options: SessionOptions) {
    this.#o = options;
    this.#outbox = new Outbox(options.journal);
    this.#transfers = new Transfers(
      { journal: options.journal, outbox: this.#outbox, emit: options.emit },
      options.defaultInto,
    );
    this.#role = options.role;
    this.#disappearing = new Disappearing({
      role: () => this.#role,
      journal: options.journal,
      emit: options.emit,
      flush: () => this.#outbox.flush(),
    });
    this.#peerId = options.peerId;
    this.#links = this.#newLinks(options.role);
  }

  /** New for each process and each change of keys: a link from another run of the peer means that the old run is gone. */
  get runId(): string {
    return this.#runId;
  }

  get journalId(): string {
    return this.#o.journal.id;
  }

  /** The link that carries the session, and why it does. */
  get active(): { link: Link; why: string } | null {
    const link = this.#connected ? this.#links.active : null;
    return link && { link, why: this.#why };
  }

  /** Tells what an earlier run of this program had received and not yet shown, and ends what it was ending. */
  replay(): void {
    const { journal, emit } = this.#o;
    this.#transfers.incoming.discardLeftovers();
    for (const { id, text, at } of journal.unshown()) {
      emit({ event: 'message', id, from: 'peer', text, at, replayed: true });
      this.#markShown(id);
    }
    this.#transfers.incoming.offers.replay();
    this.#disappearing.start();
  }

  /** @param generation rising with each introduction */
  add(link: Link, generation: number): void {
    this.#links.add(link, generation);
  }

  /** Runs a pipe beside the conversation, from the next link on. */
  attachPipe(pipe: Pipe): void {
    this.#pipe = pipe;
  }

  message(text: string, ref?: string): string {
    if (text === '') throw new UserError(ExitCode.usage, 'a message needs a text', 'Type something first.');
    if (Buffer.byteLength(text) > MAX_TEXT_BYTES) {
      throw new UserError(ExitCode.usage, 'the message is longer than 64 KiB', 'Send it as a file instead.');
    }
    const { journal, emit } = this.#o;
    const said = journal.append(
      { kind: 'text', text: text.toWellFormed(), lifetimeMs: this.#disappearing.lifetimeMs },
      Date.now(),
      ref,
    );
    const { item, id, fresh } = said;
    const at = new Date(item.atMs).toISOString();
    if (fresh) emit({ event: 'message', id, from: 'me', text, at, ...(ref !== undefined && { ref }) });
    else if (ref !== undefined && journal.isFromBefore(said)) this.#tellAgain(said, ref);
    this.#outbox.flush();
    return id;
  }

  /** The run that took the ref first may have been killed before it could say so, or before it told of the delivery. */
  #tellAgain(said: Appended, ref: string): void {
    const { journal, emit } = this.#o;
    const { id, item } = said;
    if (item.body.kind !== 'text') return;
    const at = new Date(item.atMs).toISOString();
    emit({ event: 'message', id, from: 'me', text: item.body.text, at, ref, replayed: true });
    if (journal.isDelivered(said)) emit({ event: 'delivered', id });
  }

  send(paths: string[], ref?: string): Promise<string> {
    return this.#transfers.outgoing.offer(paths, ref, this.#closing.signal);
  }

  sendOrResume(paths: string[]): Promise<string> {
    return this.#transfers.outgoing.resumeOrOffer(paths, this.#closing.signal);
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

  read(id: string): void {
    const { journal } = this.#o;
    journal.transaction(() => {
      const key = journal.markReadByMe(id);
      if (key) journal.append({ kind: 'read', journalId: key.journalId, sequences: [key.sequence] }, Date.now());
    });
    this.#outbox.flush();
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
      state: this.#connected ? 'connected' : otherwise,
      path: this.active?.link.facts.path ?? null,
      transfers: this.#transfers.statuses(),
      outbox: this.#o.journal.outboxSize(),
      disappearing: this.#disappearing.status(),
    };
  }

  /** Resolves when the peer has everything that was said, when there is no link to say it over, or after `ms`. */
  async flush(ms: number): Promise<void> {
    if (!this.#connected || this.#o.journal.outboxSize() === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onProgress = () => {
        if (this.#connected && this.#o.journal.outboxSize() > 0) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /**
   * One of the two keys has changed, and with it who is who: the session goes on over new links, and what the old ones
   * had not finished goes on there. Not to be called from inside what a link tells.
   */
  changeKeys(role: Role, peerId: string): void {
    const links = this.#links;
    this.#runId = newRunId();
    this.#peerId = peerId;
    this.#role = role;
    this.#links = this.#newLinks(role);
    links.end('succession').catch(() => {});
    this.#hold();
    if (!this.#connected) return;
    this.#connected = false;
    this.#o.emit({ event: 'disconnected', reason: 'a key has changed' });
    this.#onProgress();
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
    this.#pipe?.close();
    this.#disappearing.stop();
    await Promise.all([this.#links.end('quit'), this.#transfers.close()]);
  }

  /** What a full disk does not take is shown again by the next run. */
  #markShown(id: string): void {
    try {
      this.#o.journal.markShown(id);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#trouble(error);
    }
  }

  #trouble({ exitCode: code, message, hint }: UserError): void {
    if (this.#troubles.isNews('', message, performance.now())) this.#o.emit({ event: 'error', code, message, hint });
  }

  #newLinks(role: Role): SessionLinks {
    const options = this.#o;
    return new SessionLinks(role, {
      held: () => options.journal.held(),
      reconcile: (held) => this.#reconcile(held),
      onHold: () => this.#hold(),
      onUse: (link, why) => this.#use(link, why),
      onLost: (reason) => this.#lost(reason),
      onContent: (_, message) => this.#handle(message),
      onData: (_, chunk) => this.#data(chunk),
      onDrain: () => {
        this.#transfers.outgoing.drained();
        this.#pipe?.drained();
      },
      onCandidates: options.onCandidates,
      onDoubt: options.onDoubt,
      onTrouble: (error) => this.#trouble(error),
    });
  }

  #hold(): void {
    this.#outbox.stop();
    this.#transfers.stop();
    this.#pipe?.stop();
  }

  #reconcile(held: Held): boolean {
    const { journal, emit } = this.#o;
    const before = journal.id;
    const delivered = journal.transaction(() => {
      const isBehind = journal.isBehind(held);
      const ids = journal.reconcile(held);
      if (isBehind) this.#transfers.outgoing.offerAgain();
      return ids;
    });
    for (const id of delivered) emit({ event: 'delivered', id });
    this.#disappearing.schedule();
    return journal.id === before;
  }

  #use(link: Link, why: string): void {
    this.#hold();
    const { path, remote, group } = link.facts;
    this.#why = why;
    if (this.#connected) this.#o.emit({ event: 'path', path, remote, why });
    else {
      this.#connected = true;
      this.#o.emit({ event: 'connected', peer: this.#peerId, path, remote, rttMs: roundTenth(link.rttMs), group });
    }
    this.#o.onUse(link);
    this.#outbox.start(link);
    this.#transfers.start(link);
    this.#pipe?.start(link);
  }

  #lost(reason: string): void {
    if (this.#closing.signal.aborted) return;
    this.#hold();
    if (this.#connected) {
      this.#connected = false;
      this.#o.emit({ event: 'disconnected', reason });
      this.#onProgress();
    }
    this.#o.onLost();
  }

  #handle(message: ContentMessage): void {
    switch (message.kind) {
      case 'item':
        this.#receiveItem(message);
        break;
      case 'ack':
        for (const id of this.#outbox.acknowledged(message.journalId, message.sequence)) {
          this.#o.emit({ event: 'delivered', id });
        }
        this.#disappearing.schedule();
        this.#onProgress();
        break;
      case 'remember':
        if (this.#links.active) this.#o.onRemember(this.#links.active, message);
        break;
      case 'pipeWant':
      case 'pipeEnd':
      case 'pipeDone':
        this.#pipe?.message(message);
        break;
      case 'consumed':
        if (message.stream === PIPE_STREAM) this.#pipe?.consumed(message.bytes);
        else this.#transfers.message(message);
        break;
      default:
        this.#transfers.message(message);
    }
  }

  #data(chunk: DataChunk): void {
    if (chunk.stream === PIPE_STREAM) this.#pipe?.data(chunk);
    else this.#transfers.data(chunk);
  }

  #receiveItem(message: Item): void {
    const { journal } = this.#o;
    const afterCommit = journal.transaction(() => {
      const isNew = message.sequence > journal.peerAck().sequence;
      const item = isNew ? this.#disappearing.heed(message) : message;
      return journal.receive(item) ? this.#apply(item) : () => {};
    });
    this.#links.active?.send({ kind: 'ack', ...journal.peerAck() });
    afterCommit();
  }

  /** Inside the journal's transaction: the item and all that it changes are on disk together or not at all. */
  #apply(item: Item): AfterCommit {
    const { journal, emit } = this.#o;
    const { body } = item;
    switch (body.kind) {
      case 'text': {
        if (Buffer.byteLength(body.text) > MAX_TEXT_BYTES) throw new ProtocolError('a text beyond all bounds');
        const id = `${journal.peerAck().journalId}-${item.sequence}`;
        return () => {
          emit({ event: 'message', id, from: 'peer', text: body.text, at: timeOf(item.atMs) });
          this.#markShown(id);
          if (body.lifetimeMs) this.#disappearing.schedule();
        };
      }
      case 'disappear':
      case 'disappearAnswer':
        return this.#disappearing.apply(body);
      case 'read': {
        const ids = journal.markReadByPeer(body.journalId, body.sequences);
        return () => {
          for (const id of ids) emit({ event: 'read', id });
        };
      }
      case 'succession':
        return this.#o.onSuccession(body.statement);
      default:
        return this.#transfers.apply(body);
    }
  }
}

function newRunId(): string {
  return randomBytes(16).toString('hex');
}

/** The peer's clock may say anything; no calendar goes beyond the year 9999. */
function timeOf(atMs: number): string {
  return new Date(Math.min(atMs, Date.UTC(9999, 11, 31, 23, 59, 59, 999))).toISOString();
}

function roundTenth(ms: number): number {
  return Math.round(ms * 10) / 10;
}
