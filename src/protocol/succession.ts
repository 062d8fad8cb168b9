import { createPublicKey } from 'node:crypto';
import { MAX_SUCCESSION_BYTES } from './constants.js';
import { type Identity, type PublicIdentity, publicIdentity } from './identity.js';
import { signPss, verifyPss } from './signatures.js';
import { lengthPrefixed, ROTATE_LABEL, rotateTranscript, splitLengthPrefixed, timeBytes } from './transcripts.js';

/**
 * One key named another as its successor, and both signed it. It says that the owners of both are the same; whether
 * that owner is who one thinks is for people to find out, since a thief of the old key can say it as well.
 */
export interface Succession {
  former: PublicIdentity;
  successor: PublicIdentity;
  /** By the clock of who declared it. Nothing expires by it: a friend may come back after years. */
  atMs: number;
  /** All of it, for files and for the wire. */
  statement: Buffer;
}

/** Not a succession, or one that its keys did not both sign. */
export class InvalidSuccessionError extends Error {
  override readonly name = 'InvalidSuccessionError';
}

/** The last of the keys that followed one another; or that somewhere on the way one named two successors. */
export type Descent = { kind: 'line'; successions: Succession[] } | { kind: 'disputed'; rivals: Succession[] };

const PARTS = 6;
const PEM_LABEL = 'TURBO BEEP SUCCESSION';
const PEM = new RegExp(`-----BEGIN ${PEM_LABEL}-----([A-Za-z0-9+/=\\s]*)-----END ${PEM_LABEL}-----`, 'g');
const PEM_BEGIN = `-----BEGIN ${PEM_LABEL}-----`;

export function declareSuccession(former: Identity, successor: Identity, atMs: number): Succession {
  const transcript = rotateTranscript({ formerId: former.id, successorId: successor.id, atMs });
  const statement = lengthPrefixed([
    Buffer.from(ROTATE_LABEL),
    former.spki,
    successor.spki,
    timeBytes(atMs),
    signPss(former.privateKey, transcript),
    signPss(successor.privateKey, transcript),
  ]);
  return { former, successor, atMs, statement };
}

/** @throws InvalidSuccessionError unless it is one in its only encoding, and both signatures hold */
export function readSuccession(statement: Buffer): Succession {
  const parts = statement.length > MAX_SUCCESSION_BYTES ? null : splitLengthPrefixed(statement);
  if (parts?.length !== PARTS) throw new InvalidSuccessionError('it is not a succession');
  const [label, formerSpki, successorSpki, time, formerSignature, successorSignature] = parts as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  if (label.toString('latin1') !== ROTATE_LABEL || time.length !== 8) {
    throw new InvalidSuccessionError('it is not a succession');
  }
  const former = keyFrom(formerSpki);
  const successor = keyFrom(successorSpki);
  const atMs = Number(time.readBigUInt64BE());
  if (former.id === successor.id || !Number.isSafeInteger(atMs)) {
    throw new InvalidSuccessionError('it is not a succession');
  }
  const transcript = rotateTranscript({ formerId: former.id, successorId: successor.id, atMs });
  if (
    !verifyPss(former.key, transcript, formerSignature) ||
    !verifyPss(successor.key, transcript, successorSignature)
  ) {
    throw new InvalidSuccessionError('a signature of the succession does not hold');
  }
  return { former, successor, atMs, statement: Buffer.from(statement) };
}

/** As a block that may stand beside keys in one file. */
export function successionPem({ statement }: Succession): string {
  const lines = statement.toString('base64').match(/.{1,64}/g) ?? [];
  return `${PEM_BEGIN}\n${lines.join('\n')}\n-----END ${PEM_LABEL}-----\n`;
}

/** All successions in the text of a file. @throws InvalidSuccessionError if one of them does not hold */
export function successionsInPem(text: string): Succession[] {
  const found = Array.from(text.matchAll(PEM), ([, base64 = '']) => readSuccession(Buffer.from(base64, 'base64')));
  if (text.split(PEM_BEGIN).length - 1 !== found.length) throw new InvalidSuccessionError('the succession is damaged');
  return found;
}

/**
 * Which keys came after the one with this id, in order. If any of them has two different successors, one was named by a
 * thief, and nobody can tell which: then none of the line is to be believed.
 */
export function descentOf(id: string, known: readonly Succession[]): Descent {
  const successions: Succession[] = [];
  const seen = new Set([id]);
  for (let at = id; ; ) {
    const next = new Map(known.filter(({ former }) => former.id === at).map((each) => [each.successor.id, each]));
    const [only, ...others] = next.values();
    if (others.length > 0) return { kind: 'disputed', rivals: [...next.values()] };
    if (only === undefined || seen.has(only.successor.id)) return { kind: 'line', successions };
    successions.push(only);
    at = only.successor.id;
    seen.add(at);
  }
}

function keyFrom(spki: Buffer): PublicIdentity {
  let identity: PublicIdentity;
  try {
    identity = publicIdentity(createPublicKey({ key: spki, format: 'der', type: 'spki' }));
  } catch (error) {
    throw new InvalidSuccessionError('a key in the succession cannot be used', { cause: error });
  }
  // One key has one encoding, so that one succession has one too.
  if (!identity.spki.equals(spki)) throw new InvalidSuccessionError('a key in the succession is oddly written');
  return identity;
}
