import { MAX_LIFETIME_MS } from '../../protocol/constants.js';
import { ExitCode, ProtocolError, UserError } from '../../protocol/errors.js';
import type { Item, ItemBody } from '../../protocol/messages.js';
import type { Role } from '../../protocol/transcripts.js';
import {
  type Agreement,
  answer,
  heed,
  NOTHING_AGREED,
  openProposal,
  type Proposal,
  propose,
  takeAnswer,
  takeProposal,
} from './agreement.js';
import type { DisappearingStatus, SessionEvent } from './events.js';
import type { AfterCommit, Journal } from './journal/journal.js';

export interface DisappearingOptions {
  /** Now: it may be the other one after a change of keys. */
  role(): Role;
  journal: Journal;
  emit(event: SessionEvent): void;
  /** Sends what was appended to the journal. */
  flush(): void;
}

export type DisappearingItem = Extract<ItemBody, { kind: 'disappear' | 'disappearAnswer' }>;

const NAME = 'disappearing';
const MIN_LIFETIME_MS = 1_000;
/** A computer that slept, or whose clock was set, is noticed within this time. */
const LONGEST_WAIT_MS = 30_000;

/** Messages that disappear: keeps what both have agreed on, and deletes what has lived its time. */
export class Disappearing {
  readonly #o: DisappearingOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DisappearingOptions) {
    this.#o = options;
  }

  /** Deletes what was to go while the program was not running, and from then on each message at its time. */
  start(): void {
    this.#sweep();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** What a new text of mine carries; 0: it stays. */
  get lifetimeMs(): number {
    return this.#load().lifetimeMs;
  }

  status(): DisappearingStatus {
    const agreement = this.#load();
    const mine = openProposal(agreement);
    return {
      seconds: agreement.lifetimeMs / 1000,
      proposed: mine === null ? null : mine.lifetimeMs / 1000,
      asked: agreement.theirs === null ? null : agreement.theirs.lifetimeMs / 1000,
    };
  }

  /** @param peerKnows the peer's program understands the proposal; null: it is not there to ask */
  propose(seconds: number, peerKnows: boolean | null): void {
    const lifetimeMs = Math.round(seconds * 1000);
    if (lifetimeMs !== 0 && !isLifetime(lifetimeMs))
      throw refuse('a message lives from a second to 366 days', 'Try 1h.');
    if (peerKnows === null)
      throw refuse('this can be agreed on only while you are connected', 'Try again when you are.');
    if (!peerKnows)
      throw refuse('the other side’s turbo-beep does not know messages that disappear', 'Ask them to update it.');
    const agreement = this.#load();
    if (agreement.theirs?.lifetimeMs === lifetimeMs) {
      this.answer(true);
      return;
    }
    const nothingElse = agreement.theirs === null && openProposal(agreement) === null;
    if (openProposal(agreement)?.lifetimeMs === lifetimeMs || (nothingElse && agreement.lifetimeMs === lifetimeMs)) {
      throw refuse('that is how it is already, or as you have proposed it', 'See: /disappear');
    }
    this.#o.journal.transaction(() => {
      const proposed = propose(agreement, lifetimeMs);
      this.#o.journal.append({ kind: 'disappear', ...proposed.proposal }, Date.now());
      this.#save(proposed.agreement);
    });
    this.#tell('proposed', 'me', lifetimeMs);
    this.#o.flush();
  }

  /** @throws UserError if nothing was proposed */
  answer(agreed: boolean): void {
    const agreement = this.#load();
    const { theirs } = agreement;
    if (theirs === null)
      throw refuse('nothing was proposed that waits for your answer', 'To propose it: /disappear 1h');
    this.#o.journal.transaction(() => this.#answer(agreement, theirs, agreed));
    this.#tell(agreed ? 'agreed' : 'refused', 'me', theirs.lifetimeMs);
    this.#o.flush();
  }

  /** Inside the journal's transaction, before it: the item as far as it is agreed on. */
  heed(item: Item): Item {
    if (item.body.kind !== 'text') return item;
    const before = this.#load();
    const { agreement, lifetimeMs } = heed(before, item.body.lifetimeMs ?? 0);
    if (agreement !== before) this.#save(agreement);
    return { ...item, body: { ...item.body, lifetimeMs } };
  }

  /** Inside the journal's transaction. */
  apply(body: DisappearingItem): AfterCommit {
    return body.kind === 'disappear' ? this.#takeProposal(body) : this.#takeAnswer(body);
  }

  #takeProposal({ number, lifetimeMs }: Proposal): AfterCommit {
    if (lifetimeMs !== 0 && !isLifetime(lifetimeMs)) throw new ProtocolError('a lifetime beyond all bounds');
    const { agreement, agreed } = takeProposal(this.#load(), { number, lifetimeMs });
    this.#save(agreement);
    if (agreed) this.#answer(agreement, { number, lifetimeMs }, true);
    return () => {
      this.#tell(agreed ? 'agreed' : 'proposed', 'peer', lifetimeMs);
      if (agreed) this.#o.flush();
    };
  }

  #takeAnswer({ number, agreed }: { number: number; agreed: boolean }): AfterCommit {
    const before = this.#load();
    const refusedMs = before.mine.find((each) => each.number === number)?.lifetimeMs ?? 0;
    const after = takeAnswer(before, { number, agreed }, this.#o.role() === 'client');
    if (after === null) return () => {};
    this.#save(after);
    return () => this.#tell(agreed ? 'agreed' : 'refused', 'peer', agreed ? after.lifetimeMs : refusedMs);
  }

  #answer(agreement: Agreement, theirs: Proposal, agreed: boolean): void {
    this.#o.journal.append({ kind: 'disappearAnswer', number: theirs.number, agreed }, Date.now());
    this.#save(answer(agreement, theirs, agreed));
  }

  /** Something was delivered, on either side. */
  schedule(): void {
    const next = this.#o.journal.nextVanishing();
    clearTimeout(this.#timer);
    if (next === null) return;
    const waitMs = Math.min(Math.max(0, next - Date.now()), LONGEST_WAIT_MS);
    this.#timer = setTimeout(() => this.#sweep(), waitMs).unref();
  }

  #sweep(): void {
    try {
      for (const id of this.#o.journal.vanish(Date.now())) this.#o.emit({ event: 'disappeared', id });
      this.schedule();
    } catch (error) {
      // A full disk: they go when there is room again.
      if (!(error instanceof UserError)) throw error;
      this.#timer = setTimeout(() => this.#sweep(), LONGEST_WAIT_MS).unref();
    }
  }

  #tell(what: 'proposed' | 'agreed' | 'refused', by: 'me' | 'peer', lifetimeMs: number): void {
    this.#o.emit({ event: 'disappearing', what, by, seconds: lifetimeMs / 1000 });
  }

  #load(): Agreement {
    const stored = this.#o.journal.memory.recall(NAME);
    return stored === '' ? NOTHING_AGREED : JSON.parse(stored);
  }

  #save(agreement: Agreement): void {
    this.#o.journal.memory.remember(NAME, JSON.stringify(agreement));
  }
}

function isLifetime(ms: number): boolean {
  return ms >= MIN_LIFETIME_MS && ms <= MAX_LIFETIME_MS;
}

function refuse(message: string, hint: string): UserError {
  return new UserError(ExitCode.usage, message, hint);
}
