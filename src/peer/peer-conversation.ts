import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExitCode, UserError } from '../protocol/errors.js';
import { type PublicIdentity, shortId } from '../protocol/identity.js';
import { verificationWords } from '../protocol/words.js';
import { Rendezvous, type RendezvousOptions } from './meeting/rendezvous.js';
import type { Conversation, HistoryLine, PathReport, PeerCard, Verification } from './session/conversation.js';
import type { SessionEvent, StatusEvent } from './session/events.js';
import { PeerKeys } from './session/peer-keys.js';
import { Pipe } from './session/pipe.js';
import { Session } from './session/session.js';

export interface PeerConversationOptions extends Omit<RendezvousOptions, 'emit' | 'onNotice' | 'openSession'> {
  card: PeerCard;
  defaultInto: string;
  /** Calls back when what the faces were told before has left this process. */
  whenShown(then: () => void): void;
  /** With which the person runs their end of a pipe to this peer. */
  pipeCommand: string;
  /** Keeps what the person said of the peer's key. */
  saveVerified(verified: boolean): void;
  /** The person follows the peer to this key. Throws a UserError if that cannot be written down: then nothing changes. */
  onFollow?(peer: PublicIdentity): void;
}

const LONGEST_CLOSE_MS = 3_000;
const LONGEST_FLUSH_MS = 1_500;

/** A session and the search for its peer, as one thing that a face can talk to. */
export class PeerConversation implements Conversation {
  readonly #o: PeerConversationOptions;
  readonly #rendezvous: Rendezvous;
  readonly #session: Session;
  readonly #peerKeys: PeerKeys;
  #peer: PublicIdentity;
  #card: PeerCard;
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  #everConnected = false;
  #verified: boolean;
  #ended: Promise<void> | null = null;
  #quitting: Promise<void> | null = null;

  constructor(options: PeerConversationOptions) {
    this.#o = options;
    this.#verified = options.card.verified;
    const { peer, journal, defaultInto, whenShown } = options;
    const emit = (event: SessionEvent) => this.#emit(event);
    this.#peer = peer;
    this.#card = options.card;
    this.#peerKeys = new PeerKeys(peer.id, journal.memory, emit);
    this.#rendezvous = new Rendezvous({
      ...options,
      emit,
      onNotice: (error) => this.fail(error),
      openSession: (hooks) =>
        new Session({
          ...hooks,
          journal,
          peerId: peer.id,
          defaultInto,
          emit,
          whenShown,
          onPipeMismatch: (whose) => this.fail(this.#pipeMismatch(whose)),
          onSuccession: (statement) => this.#peerKeys.receive(statement),
        }),
    });
    this.#session = this.#rendezvous.session;
  }

  /** Once the faces listen: tells what was left from before, and begins to look for the peer. */
  start(): void {
    this.#session.replay();
    this.#peerKeys.tell(true);
    this.#rendezvous.start();
  }

  /** Runs a byte stream each way beside the conversation; call it before `start`. Rejects with a UserError if it breaks. */
  pipe(input: Readable | null, output: Writable): Promise<void> {
    return new Promise((onDone, onBroken) => {
      this.#session.attachPipe(new Pipe({ input, output, onDone, onBroken }));
    });
  }

  /** Tells the faces what is about to end the program. */
  fail(error: UserError): void {
    this.#emit({ event: 'error', code: error.exitCode, message: error.message, hint: error.hint });
  }

  /** Why the deadline came before the first connection. */
  whyLate(): 'no mediator' | 'impostor' | 'absent' {
    if (this.#rendezvous.impostorSeen) return 'impostor';
    return this.#rendezvous.everOnline ? 'absent' : 'no mediator';
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  message(text: string, ref?: string): string {
    return this.#session.message(text, ref);
  }

  send(paths: string[], ref?: string): Promise<string> {
    return this.#session.send(paths, ref);
  }

  sendOrResume(paths: string[]): Promise<string> {
    return this.#session.sendOrResume(paths);
  }

  expectOffers(): void {
    this.#session.expectOffers();
  }

  accept(transfer: string, into?: string): Promise<void> {
    return this.#session.accept(transfer, into);
  }

  decline(transfer: string): void {
    this.#session.decline(transfer);
  }

  cancel(transfer: string): void {
    this.#session.cancel(transfer);
  }

  read(ids: readonly string[]): void {
    this.#session.read(ids);
  }

  disappear(seconds: number): void {
    this.#session.disappear(seconds);
  }

  answerDisappear(agreed: boolean): void {
    this.#session.answerDisappear(agreed);
  }

  status(): StatusEvent {
    const unconnected = this.#everConnected ? 'reconnecting' : 'connecting';
    return { ...this.#session.status(this.#rendezvous.peerAbsent ? 'waiting' : unconnected), verified: this.#verified };
  }

  history(count: number): HistoryLine[] {
    return this.#o.journal.history(count);
  }

  search(text: string, count: number): HistoryLine[] {
    return this.#o.journal.search(text, count);
  }

  verification(): Verification {
    const keys = [
      { whose: 'me' as const, id: this.#rendezvous.ownId },
      { whose: 'peer' as const, id: this.#peer.id },
    ].sort((a, b) => (a.id < b.id ? -1 : 1));
    return { keys: keys.map((key) => ({ ...key, words: verificationWords(key.id) })) };
  }

  verify(verified: boolean): void {
    this.#o.saveVerified(verified);
    this.noteVerified(verified);
  }

  /** It was said here, or to another process. */
  noteVerified(verified: boolean): void {
    if (this.#verified === verified) return;
    this.#verified = verified;
    this.#emit({ event: 'verified', verified });
  }

  path(): PathReport {
    const active = this.#session.active;
    return {
      current: active && {
        path: active.link.facts.path,
        remote: active.link.facts.remote,
        rttMs: active.link.rttMs,
        group: active.link.facts.group,
        why: active.why,
      },
      attempts: [...this.#rendezvous.attempts],
    };
  }

  peer(): PeerCard {
    return { ...this.#card, verified: this.#verified };
  }

  succession(): { id: string; words: string } | null {
    const offered = this.#peerKeys.offered();
    return offered && { id: offered.id, words: verificationWords(offered.id).join(' ') };
  }

  follow(id: string): void {
    const offered = this.#peerKeys.offered();
    if (offered?.id !== id) {
      const hint = offered ? 'Look at the words of the new key again.' : 'Nothing is to be done.';
      throw new UserError(ExitCode.usage, 'the peer asks for no such key to be followed', hint);
    }
    this.#o.onFollow?.(offered);
    this.#peer = offered;
    this.#peerKeys.peerId = offered.id;
    const hasName = this.#card.name !== shortId(this.#card.id);
    this.#card = { id: offered.id, name: hasName ? this.#card.name : shortId(offered.id), verified: false };
    this.noteVerified(false);
    this.#emit({ event: 'succeeded', whose: 'peer', id: offered.id });
    this.#rendezvous.follow(offered);
  }

  /** Ends every link at once, whatever is on its way: the person wants no more of this peer. */
  cut(): void {
    this.#ended ??= this.#end();
  }

  quit(): Promise<void> {
    this.#rendezvous.leave();
    this.#quitting ??= this.#close();
    return this.#quitting;
  }

  async #close(): Promise<void> {
    // The last word, an answer to an offer say, may be on its way, or the session about to move.
    if (!this.#ended) await this.#session.flush(LONGEST_FLUSH_MS);
    this.#ended ??= this.#end();
    // A disk that hangs must not keep the person from leaving.
    await Promise.race([this.#ended, sleep(LONGEST_CLOSE_MS, undefined, { ref: false })]);
    this.#o.journal.close();
    await this.#rendezvous.releasePorts();
    this.#emit({ event: 'bye' });
    this.#listeners.clear();
  }

  #pipeMismatch(whose: 'me' | 'peer'): UserError {
    const { name } = this.#card;
    if (whose === 'me') {
      const hint = 'Ask them to end what they run with you, and to run p2p pipe. This one waits for it.';
      return new UserError(ExitCode.usage, `there is no pipe at ${name}'s end, but another p2p`, hint);
    }
    const hint = `To take part, end this and run: ${this.#o.pipeCommand}`;
    return new UserError(ExitCode.usage, `a p2p pipe at ${name}'s end waits for one here`, hint);
  }

  #end(): Promise<void> {
    this.#rendezvous.stop();
    return this.#session.close();
  }

  #emit(event: SessionEvent): void {
    if (event.event === 'connected') this.#everConnected = true;
    for (const listener of [...this.#listeners]) listener(event);
  }
}
