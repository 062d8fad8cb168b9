import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExitCode, LinkClosedError, UserError } from '../protocol/errors.js';
import { selfSignedCertificate } from '../protocol/forge.js';
import { type PublicIdentity, shortId } from '../protocol/identity.js';
import type { Link } from '../protocol/link.js';
import type { PathKind } from '../protocol/messages.js';
import { roleOf, SUCCESSION } from '../protocol/peer-handshake.js';
import { verificationWords } from '../protocol/words.js';
import type { OwnKeys } from './former-keys.js';
import { compareKeys } from './key-change.js';
import { KnownKey } from './known-key.js';
import { successionOf } from './mediator/other-keys.js';
import { Meeting } from './meeting.js';
import type { Conversation, HistoryLine, PathReport, PeerCard, Verification } from './session/conversation.js';
import type { SessionEvent, StatusEvent } from './session/events.js';
import type { Journal } from './session/journal/journal.js';
import { PeerKeys } from './session/peer-keys.js';
import { Pipe } from './session/pipe.js';
import { Session } from './session/session.js';

export interface PeerConversationOptions {
  host: string;
  port: number;
  own: OwnKeys;
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
  /** The peer knows us by this key from now on. Throws a UserError if that cannot be written down. */
  onKnownAs?(identity: PublicIdentity): void;
  /** The person follows the peer to this key. Throws a UserError if that cannot be written down: then nothing changes. */
  onFollow?(peer: PublicIdentity): void;
  /** Nothing more can come of it: the program should end with this error's exit code. */
  onFatal(error: UserError): void;
}

const LONGEST_CLOSE_MS = 3_000;
const LONGEST_FLUSH_MS = 1_500;

/** A session and the search for its peer, as one thing that a face can talk to. */
export class PeerConversation implements Conversation {
  readonly #o: PeerConversationOptions;
  readonly #session: Session;
  readonly #peerKeys: PeerKeys;
  readonly #keys: KnownKey;
  #peer: PublicIdentity;
  #card: PeerCard;
  #meeting: Meeting;
  /** Of the meetings, one for each pair of keys: what an earlier one still says does not count. */
  #turn = 0;
  #everOnline = false;
  /** The mediator admits the newest of our keys. */
  #isReady = false;
  #isChanging = false;
  /** Keys of ours under which the peer has opened a link. */
  readonly #knownAs = new Set<string>();
  #impostorSeen = false;
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  #everConnected = false;
  #verified: boolean;
  #ended: Promise<void> | null = null;
  #quitting: Promise<void> | null = null;

  constructor(options: PeerConversationOptions) {
    this.#o = options;
    this.#verified = options.card.verified;
    const { own, peer, journal, host, port } = options;
    this.#peer = peer;
    this.#card = options.card;
    this.#peerKeys = new PeerKeys(peer.id, journal, (event) => this.#emit(event));
    this.#keys = new KnownKey({
      host,
      port,
      own,
      judgeMediator: options.judgeMediator,
      isConnected: () => this.#session.active !== null,
      isOnline: () => this.#meeting.online,
      onUse: () => this.#changeKeysLater(),
      onReady: () => {
        this.#isReady = true;
        this.#tellSuccessions();
      },
      onNotice: (error) => this.fail(error),
    });
    this.#session = new Session({
      role: roleOf(this.#keys.current.id, peer.id),
      journal,
      peerId: peer.id,
      defaultInto: options.defaultInto,
      emit: (event) => this.#emit(event),
      onSuccession: (statement) => this.#peerKeys.receive(statement),
      onLost: () => {
        this.#keys.lost();
        this.#meeting.lost();
      },
      onDoubt: () => this.#meeting.doubted(),
      onUse: (link) => this.#useLink(link),
      onRemember: (link, message) => this.#meeting.remember(link, message),
      onCandidates: (id, candidates) => this.#meeting.peerCandidates(id, candidates),
    });
    this.#meeting = this.#newMeeting();
  }

  /** Once the faces listen: tells what was left from before, and begins to look for the peer. */
  start(): void {
    this.#session.replay();
    this.#peerKeys.tell(true);
    this.#meeting.start();
    this.#keys.start(this.#peer.id);
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
    if (this.#impostorSeen || this.#meeting.impostorSeen) return 'impostor';
    return this.#everOnline || this.#meeting.everOnline ? 'absent' : 'no mediator';
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
      { whose: 'me' as const, id: this.#keys.current.id },
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
      attempts: [...this.#meeting.attempts],
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
    this.#changeKeysLater();
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
    this.#keys.stop();
    this.#meeting.stop();
    return this.#session.close();
  }

  #newMeeting(): Meeting {
    const { host, port, allowed, hostCandidates, portMapping, journal, own, judgeMediator } = this.#o;
    const identity = this.#keys.current;
    this.#turn += 1;
    const turn = this.#turn;
    const ifCurrent = (act: () => void) => {
      if (turn === this.#turn) act();
    };
    return new Meeting({
      host,
      port,
      identity,
      succession: successionOf(identity, own.successions),
      patient: this.#everOnline,
      peer: this.#peer,
      credentials: { identity, certificate: selfSignedCertificate(identity) },
      allowed,
      hostCandidates,
      portMapping,
      runId: this.#session.runId,
      journalId: () => this.#session.journalId,
      judgeMediator,
      memory: {
        load: () => journal.recall('serverless'),
        save: (text) => journal.remember('serverless', text),
      },
      activeLink: () => this.#session.active?.link ?? null,
      addLink: (link, generation) => {
        if (turn === this.#turn) this.#session.add(link, generation);
        else link.destroy(new LinkClosedError('the keys have changed meanwhile'));
      },
      emit: (event) => ifCurrent(() => this.#emit(event)),
      onSucceeded: () => ifCurrent(() => this.#keys.succeeded()),
      onFatal: (error) =>
        ifCurrent(() => {
          if (!this.#keys.replaces(error)) this.#o.onFatal(error);
        }),
    });
  }

  /** Not at once: what led to it may be telling others as well. */
  #changeKeysLater(): void {
    this.#isChanging = true;
    setImmediate(() => {
      if (this.#quitting === null && this.#ended === null) this.#changeKeys();
    });
  }

  /** One side's key is another now: everything that was opened with the keys before ends, and begins again. */
  #changeKeys(): void {
    this.#isChanging = false;
    const before = this.#meeting;
    this.#everOnline ||= before.everOnline;
    this.#impostorSeen ||= before.impostorSeen;
    before.stop();
    before.releasePorts().catch(() => {});
    this.#session.changeKeys(roleOf(this.#keys.current.id, this.#peer.id), this.#peer.id);
    this.#meeting = this.#newMeeting();
    this.#meeting.start();
    this.#keys.start(this.#peer.id);
  }

  #useLink(link: Link): void {
    const { current } = this.#keys;
    // Opened with keys that are being given up: it says nothing of the new ones, and ends in a moment.
    if (this.#isChanging) return;
    this.#meeting.found(link);
    const isNews = current !== this.#o.own.line[0] && !this.#knownAs.has(current.id);
    if (isNews) this.#nowKnownAs(current);
    this.#keys.connected();
    this.#tellSuccessions();
  }

  /** The link that was opened under this key is the peer's word that it knows it. */
  #nowKnownAs(identity: PublicIdentity): void {
    this.#knownAs.add(identity.id);
    try {
      this.#o.onKnownAs?.(identity);
      this.#emit({ event: 'succeeded', whose: 'me', id: identity.id });
    } catch (error) {
      // A full disk: the next run finds out again.
      if (!(error instanceof UserError)) throw error;
      this.fail(error);
    }
  }

  /** Once the mediator admits the newest key, and the peer understands: before that it could only be lost by following. */
  #tellSuccessions(): void {
    const { active } = this.#session;
    if (!active || this.#keys.isOver || !this.#isReady) return;
    if (!active.link.facts.hello.features.includes(SUCCESSION)) return;
    const { successions, line } = this.#o.own;
    const from = line.indexOf(this.#keys.current);
    this.#session.tellSuccessions(
      successions
        .slice(from)
        .map(({ successor, statement }) => ({ id: successor.id, statement: statement.toString('hex') })),
    );
  }

  #emit(event: SessionEvent): void {
    if (event.event === 'online') this.#keys.online();
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
