import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExitCode, UserError } from '../protocol/errors.js';
import { selfSignedCertificate } from '../protocol/forge.js';
import type { Identity, PublicIdentity } from '../protocol/identity.js';
import type { PathKind } from '../protocol/messages.js';
import { roleOf } from '../protocol/peer-handshake.js';
import { verificationWords } from '../protocol/words.js';
import { compareKeys } from './key-change.js';
import { Meeting } from './meeting.js';
import type { Conversation, HistoryLine, PathReport, PeerCard, Verification } from './session/conversation.js';
import type { SessionEvent, StatusEvent } from './session/events.js';
import type { Journal } from './session/journal/journal.js';
import { Pipe } from './session/pipe.js';
import { Session } from './session/session.js';

export interface PeerConversationOptions {
  host: string;
  port: number;
  identity: Identity;
  peer: PublicIdentity;
  card: PeerCard;
  journal: Journal;
  allowed: readonly PathKind[];
  hostCandidates: boolean;
  portMapping: boolean;
  defaultInto: string;
  judgeMediator(shown: PublicIdentity): void;
  /** Keeps what the person said of the peer's key. */
  saveVerified(verified: boolean): void;
  /** Nothing more can come of it: the program should end with this error's exit code. */
  onFatal(error: UserError): void;
}

const LONGEST_CLOSE_MS = 3_000;
const LONGEST_FLUSH_MS = 1_500;

/** A session and the search for its peer, as one thing that a face can talk to. */
export class PeerConversation implements Conversation {
  readonly #o: PeerConversationOptions;
  readonly #session: Session;
  readonly #meeting: Meeting;
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  #everConnected = false;
  #verified: boolean;
  #ended: Promise<void> | null = null;
  #quitting: Promise<void> | null = null;

  constructor(options: PeerConversationOptions) {
    this.#o = options;
    this.#verified = options.card.verified;
    const { identity, peer, journal } = options;
    this.#session = new Session({
      role: roleOf(identity.id, peer.id),
      journal,
      peerId: peer.id,
      defaultInto: options.defaultInto,
      emit: (event) => this.#emit(event),
      onLost: () => this.#meeting.lost(),
      onDoubt: () => this.#meeting.doubted(),
      onUse: (link) => this.#meeting.found(link),
      onRemember: (link, message) => this.#meeting.remember(link, message),
      onCandidates: (id, candidates) => this.#meeting.peerCandidates(id, candidates),
    });
    this.#meeting = new Meeting({
      host: options.host,
      port: options.port,
      identity,
      peer,
      credentials: { identity, certificate: selfSignedCertificate(identity) },
      allowed: options.allowed,
      hostCandidates: options.hostCandidates,
      portMapping: options.portMapping,
      runId: this.#session.runId,
      journalId: () => this.#session.journalId,
      judgeMediator: options.judgeMediator,
      memory: {
        load: () => journal.recall('serverless'),
        save: (text) => journal.remember('serverless', text),
      },
      activeLink: () => this.#session.active?.link ?? null,
      addLink: (link, generation) => this.#session.add(link, generation),
      emit: (event) => this.#emit(event),
      onFatal: options.onFatal,
    });
  }

  /** Once the faces listen: tells what was left from before, and begins to look for the peer. */
  start(): void {
    this.#session.replay();
    this.#meeting.start();
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
    if (this.#meeting.impostorSeen) return 'impostor';
    return this.#meeting.everOnline ? 'absent' : 'no mediator';
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

  accept(transfer: string, into?: string): Promise<void> {
    return this.#session.accept(transfer, into);
  }

  decline(transfer: string): void {
    this.#session.decline(transfer);
  }

  cancel(transfer: string): void {
    this.#session.cancel(transfer);
  }

  read(id: string): void {
    this.#session.read(id);
  }

  disappear(seconds: number): void {
    this.#session.disappear(seconds);
  }

  answerDisappear(agreed: boolean): void {
    this.#session.answerDisappear(agreed);
  }

  status(): StatusEvent {
    const unconnected = this.#everConnected ? 'reconnecting' : 'connecting';
    return { ...this.#session.status(this.#meeting.peerAbsent ? 'waiting' : unconnected), verified: this.#verified };
  }

  history(count: number): HistoryLine[] {
    return this.#o.journal.history(count);
  }

  search(text: string, count: number): HistoryLine[] {
    return this.#o.journal.search(text, count);
  }

  verification(): Verification {
    const keys = [
      { whose: 'me' as const, id: this.#o.identity.id },
      { whose: 'peer' as const, id: this.#o.peer.id },
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
      attempts: [...this.#meeting.attempts],
    };
  }

  peer(): PeerCard {
    return { ...this.#o.card, verified: this.#verified };
  }

  /** Ends every link at once, whatever is on its way: the person wants no more of this peer. */
  cut(): void {
    this.#ended ??= this.#end();
  }

  quit(): Promise<void> {
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
    await this.#meeting.releasePorts();
    this.#emit({ event: 'bye' });
    this.#listeners.clear();
  }

  #end(): Promise<void> {
    this.#meeting.stop();
    return this.#session.close();
  }

  #emit(event: SessionEvent): void {
    if (event.event === 'connected') this.#everConnected = true;
    for (const listener of [...this.#listeners]) listener(event);
  }
}

/** The mediator's key must be the one pinned: by hand, or at first use. */
export function mediatorJudge(o: {
  host: string;
  port: number;
  pinned: string | null;
  /** The person named the key: from now on it is the one to expect. */
  byHand: boolean;
  pin(id: string): void;
}): (shown: PublicIdentity) => void {
  return ({ id }) => {
    if (o.pinned === null || (o.byHand && id === o.pinned)) {
      o.pin(id);
      return;
    }
    if (id === o.pinned) return;
    const keys = compareKeys({ label: 'expected', id: o.pinned }, { label: 'shown', id });
    throw new UserError(
      ExitCode.mediatorRefused,
      `the mediator at ${o.host} port ${o.port} shows another key than before:\n${keys}`,
      'Somebody may be standing in its place. Ask whoever runs it; if the change is meant, name the new key once: --mediator-key ID.',
    );
  };
}
