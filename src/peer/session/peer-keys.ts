import { ExitCode, UserError } from '../../protocol/errors.js';
import type { PublicIdentity } from '../../protocol/identity.js';
import { descentOf, InvalidSuccessionError, readSuccession, type Succession } from '../../protocol/succession.js';
import { verificationWords } from '../../protocol/words.js';
import type { SessionEvent } from './events.js';
import type { AfterCommit, Memory } from './journal/journal.js';

const NOTE = 'successions';
/** Far more keys than anybody has in a life; the bound is against a peer who means ill. */
const MAX_KEPT = 64;

/**
 * What the peer's key and those after it said of their successors. Nothing follows from it by itself: the person
 * decides. All of it is kept, also what was followed, so that a second successor of the same key is noticed years later.
 */
export class PeerKeys {
  readonly #memory: Memory;
  readonly #emit: (event: SessionEvent) => void;
  #peerId: string;

  constructor(peerId: string, memory: Memory, emit: (event: SessionEvent) => void) {
    this.#peerId = peerId;
    this.#memory = memory;
    this.#emit = emit;
  }

  /** The key that the person follows now, and that sessions are opened with. */
  set peerId(id: string) {
    this.#peerId = id;
  }

  /** Inside the journal's transaction. @param statement hex, as the peer sent it */
  receive(statement: string): AfterCommit {
    let succession: Succession;
    try {
      succession = readSuccession(Buffer.from(statement, 'hex'));
    } catch (error) {
      if (!(error instanceof InvalidSuccessionError)) throw error;
      return () => this.#complain(`the peer named another key, but ${error.message}; it is ignored`);
    }
    switch (this.learn(succession)) {
      case 'known':
        return () => {};
      case 'foreign':
        return () => this.#complain('the peer named a successor for a key that is not its own; it is ignored');
      case 'new':
        return () => this.tell(false);
    }
  }

  /** Keeps a succession, however it came here. */
  learn(succession: Succession): 'new' | 'known' | 'foreign' {
    const kept = this.#kept();
    const { former, successor } = succession;
    if (kept.some((each) => each.former.id === former.id && each.successor.id === successor.id)) return 'known';
    const ours = new Set([this.#peerId, ...kept.flatMap((each) => [each.former.id, each.successor.id])]);
    if (!ours.has(former.id)) return 'foreign';
    // A dispute is known with two, and the person is told once.
    const rivals = kept.filter((each) => each.former.id === former.id);
    if (rivals.length > 1 || kept.length >= MAX_KEPT) return 'known';
    const statements = [...kept, succession].map((each) => each.statement.toString('base64'));
    this.#memory.remember(NOTE, JSON.stringify(statements));
    return 'new';
  }

  /** The key that the peer wants to be known by, if it is another than now. @throws UserError if two were named */
  offered(): PublicIdentity | null {
    const kept = this.#kept();
    // From the first key on: one that was followed already may turn out to be disputed.
    const origins = [this.#peerId, ...kept.map(({ former }) => former.id)];
    const rivals = origins.map((id) => descentOf(id, kept)).find(({ kind }) => kind === 'disputed');
    if (rivals?.kind === 'disputed') throw disputed(rivals.rivals);
    const descent = descentOf(this.#peerId, kept);
    return descent.kind === 'line' ? (descent.successions.at(-1)?.successor ?? null) : null;
  }

  /** Tells the face what is to be decided. */
  tell(replayed: boolean): void {
    try {
      const key = this.offered();
      if (key === null) return;
      const words = verificationWords(key.id).join(' ');
      this.#emit({ event: 'succession', peer: this.#peerId, id: key.id, words, ...(replayed && { replayed }) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#emit({ event: 'error', code: error.exitCode, message: error.message, hint: error.hint });
    }
  }

  #complain(message: string): void {
    const hint = 'Ask them by voice what they did; you need not do anything.';
    this.#emit({ event: 'error', code: ExitCode.impostor, message, hint });
  }

  /** What is damaged was never said. */
  #kept(): Succession[] {
    try {
      const statements: unknown = JSON.parse(this.#memory.recall(NOTE) || '[]');
      if (!Array.isArray(statements)) return [];
      return statements.map((each) => readSuccession(Buffer.from(String(each), 'base64')));
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof InvalidSuccessionError) return [];
      throw error;
    }
  }
}

function disputed(rivals: readonly Succession[]): UserError {
  const words = rivals.map(({ successor: { id } }) => verificationWords(id).join(' '));
  return new UserError(
    ExitCode.impostor,
    `the peer's key has named two different successors, so somebody has stolen it: “${words.join('” and “')}”`,
    'Neither is followed. Ask them by voice for the words of their key, and save it anew: p2p contact add',
  );
}
