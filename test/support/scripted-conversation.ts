import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Conversation, HistoryLine, PathReport, PeerCard } from '../../src/peer/session/conversation.js';
import type { DisappearingStatus, SessionEvent, StatusEvent, TransferStatus } from '../../src/peer/session/events.js';
import { UserError } from '../../src/protocol/errors.js';

/** What a face asked of the conversation, in order. */
export interface Call {
  method:
    | 'message'
    | 'send'
    | 'accept'
    | 'decline'
    | 'cancel'
    | 'read'
    | 'follow'
    | 'verify'
    | 'disappear'
    | 'answerDisappear'
    | 'quit';
  arguments: unknown[];
}

export interface Script {
  peer?: Partial<PeerCard>;
  state?: StatusEvent['state'];
  history?: HistoryLine[];
  transfers?: TransferStatus[];
  rttMs?: number;
}

/** A session that exists only as its script says: for developing and testing faces, without any other part. */
export class ScriptedConversation implements Conversation {
  readonly calls: Call[] = [];
  onCall: (call: Call) => void = () => {};
  outbox = 0;
  offeredKey: { id: string; words: string } | null = null;
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  readonly #script: Script;
  readonly #transfers: TransferStatus[];
  readonly #refs = new Map<string, string>();
  #state: StatusEvent['state'];
  #current: PathReport['current'] = null;
  #lastId = 0;
  #disappearing: DisappearingStatus = { seconds: 0, proposed: null, asked: null };
  #verified: boolean;

  constructor(script: Script = {}) {
    this.#script = script;
    this.#verified = script.peer?.verified ?? false;
    this.#state = script.state ?? 'connecting';
    this.#transfers = [...(script.transfers ?? [])];
  }

  /** Plays an event, as if the session had it. */
  emit(event: SessionEvent): void {
    this.#keepUp(event);
    for (const listener of [...this.#listeners]) listener(event);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  message(text: string, ref?: string): string {
    this.#called('message', ref === undefined ? [text] : [text, ref]);
    const known = ref === undefined ? undefined : this.#refs.get(ref);
    if (known) return known;
    const id = this.#newId('me');
    if (ref !== undefined) this.#refs.set(ref, id);
    this.outbox += 1;
    const at = new Date().toISOString();
    this.emit({ event: 'message', id, from: 'me', text, at, ...(ref !== undefined && { ref }) });
    return id;
  }

  sendOrResume(paths: string[]): Promise<string> {
    return this.send(paths);
  }

  async send(paths: string[], ref?: string): Promise<string> {
    this.#called('send', ref === undefined ? [paths] : [paths, ref]);
    const files = paths.map((path) => ({ name: basename(path), size: sizeOf(path) }));
    const transfer = this.#newId('out');
    this.emit({ event: 'offered', transfer, files, ...(ref !== undefined && { ref }) });
    return transfer;
  }

  /** Makes no difference that a face could see. */
  expectOffers(): void {}

  async accept(transfer: string, into?: string): Promise<void> {
    this.#called('accept', into === undefined ? [transfer] : [transfer, into]);
    this.#known(transfer);
    if (into === '/full') throw new UserError(7, 'there is not room enough in /full', 'choose another folder');
    this.emit({ event: 'accepted', transfer, into: into ?? '/downloads' });
  }

  decline(transfer: string): void {
    this.#called('decline', [transfer]);
    this.#known(transfer);
    this.emit({ event: 'declined', transfer });
  }

  cancel(transfer: string): void {
    this.#called('cancel', [transfer]);
    this.#known(transfer);
    this.emit({ event: 'cancelled', transfer, by: 'me' });
  }

  read(ids: readonly string[]): void {
    this.#called('read', [...ids]);
    if (ids.includes('unknown')) throw new UserError(2, 'there is no message unknown', 'give the id of a message');
  }

  succession(): { id: string; words: string } | null {
    return this.offeredKey;
  }

  follow(id: string): void {
    this.#called('follow', [id]);
  }

  status(): StatusEvent {
    const transfers = [...this.#transfers];
    const path = this.#current?.path ?? null;
    const { verified } = this.peer();
    return {
      event: 'status',
      state: this.#state,
      path,
      transfers,
      outbox: this.outbox,
      verified,
      disappearing: this.#disappearing,
    };
  }

  history(count: number): HistoryLine[] {
    return (this.#script.history ?? []).slice(-count);
  }

  search(text: string, count: number): HistoryLine[] {
    return this.history(Number.MAX_SAFE_INTEGER)
      .filter((line) => line.text.includes(text))
      .slice(-count);
  }

  verification() {
    const words = ['apple', 'river', 'candle', 'north', 'violin', 'stone'];
    const id = 'ab'.repeat(32);
    return {
      keys: [
        { whose: 'peer' as const, id, words },
        { whose: 'me' as const, id, words: words.toReversed() },
      ],
    };
  }

  verify(verified: boolean): void {
    this.#called('verify', [verified]);
    this.#verified = verified;
    this.emit({ event: 'verified', verified });
  }

  disappear(seconds: number): void {
    this.#called('disappear', [seconds]);
    this.#disappearing = { ...this.#disappearing, proposed: seconds };
    this.emit({ event: 'disappearing', what: 'proposed', by: 'me', seconds });
  }

  answerDisappear(agreed: boolean): void {
    this.#called('answerDisappear', [agreed]);
    const seconds = this.#disappearing.asked ?? 0;
    this.#disappearing = { seconds: agreed ? seconds : 0, proposed: null, asked: null };
    this.emit({ event: 'disappearing', what: agreed ? 'agreed' : 'refused', by: 'me', seconds });
  }

  path(): PathReport {
    const attempts = [{ path: 'tcp-punch' as const, remote: '192.0.2.7:4000', outcome: 'connection refused' }];
    return { current: this.#current, attempts };
  }

  peer(): PeerCard {
    return { id: 'ab'.repeat(32), name: 'bob', ...this.#script.peer, verified: this.#verified };
  }

  async quit(): Promise<void> {
    this.#called('quit', []);
    this.emit({ event: 'bye' });
  }

  #called(method: Call['method'], args: unknown[]): void {
    const call = { method, arguments: args };
    this.calls.push(call);
    this.onCall(call);
  }

  #known(transfer: string): void {
    if (this.#transfers.some((status) => status.transfer === transfer)) return;
    throw new UserError(2, `there is no transfer ${transfer}`, 'status lists the transfers');
  }

  #newId(kind: string): string {
    this.#lastId += 1;
    return `${kind}-${this.#lastId}`;
  }

  #keepUp(event: SessionEvent): void {
    const { rttMs = 12 } = this.#script;
    if (event.event === 'disappearing' && event.by === 'peer') {
      const { seconds, what } = event;
      if (what === 'agreed') this.#disappearing = { seconds, proposed: null, asked: null };
      else if (what === 'proposed') this.#disappearing = { ...this.#disappearing, asked: seconds };
    } else if (event.event === 'connected') {
      this.#state = 'connected';
      this.#current = { path: event.path, remote: event.remote, rttMs: event.rttMs, group: event.group, why: 'first' };
    } else if (event.event === 'path' && this.#current) {
      this.#current = { ...this.#current, path: event.path, remote: event.remote, why: event.why, rttMs };
    } else if (event.event === 'disconnected') {
      this.#state = 'reconnecting';
      this.#current = null;
    } else if (event.event === 'waiting') this.#state = 'waiting';
    else if (event.event === 'delivered') this.outbox -= 1;
    else if (event.event === 'offer' || event.event === 'offered') this.#addTransfer(event);
    else if (event.event === 'accepted') this.#transferOf(event.transfer, (status) => (status.state = 'accepted'));
    else if (event.event === 'transferred' || event.event === 'declined' || event.event === 'cancelled') {
      this.#transferOf(event.transfer, (status) => this.#transfers.splice(this.#transfers.indexOf(status), 1));
    }
  }

  #addTransfer(event: SessionEvent & { event: 'offer' | 'offered' }): void {
    const { transfer, files } = event;
    this.#transfers.push({
      transfer,
      direction: event.event === 'offer' ? 'receive' : 'send',
      state: 'offered',
      name: files[0]?.name ?? '',
      files: files.length,
      bytes: 0,
      total: files.reduce((sum, file) => sum + file.size, 0),
    });
  }

  #transferOf(transfer: string, change: (status: TransferStatus) => void): void {
    const status = this.#transfers.find((one) => one.transfer === transfer);
    if (status) change(status);
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    throw new UserError(2, `${path} cannot be read`, 'check the name and who may read it');
  }
}
