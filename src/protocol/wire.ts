import {
  ID_BYTES,
  JOURNAL_ID_BYTES,
  MAX_CANDIDATES,
  MAX_CHECKPOINTS,
  MAX_READ_SEQUENCES,
  MAX_SEEN_PORTS,
  MAX_SUCCESSION_BYTES,
  NONCE_BYTES,
  PROBE_KEY_BYTES,
  TOKEN_BYTES,
  TRANSFER_ID_BYTES,
} from './constants.js';
import { errorMessage, ProtocolError } from './errors.js';
import type { MediatorMessage, PeerMessage } from './messages.js';
import { type Field, loadType, type MessageType } from './schema.js';

/**
 * proto/*.proto in, this program's own messages out. A oneof named `body` becomes a `kind`; ids and statements become hex;
 * every field is present and every id, nonce and digest has its exact length.
 */
export interface Codec<Message> {
  encode(message: Message): Buffer;
  /** Throws ProtocolError on anything that is not a well-formed message. */
  decode(payload: Buffer): Message;
}

export const { mediatorCodec, peerCodec } = codecsOf(loadType);

export function codecsOf(load: typeof loadType): {
  mediatorCodec: Codec<MediatorMessage>;
  peerCodec: Codec<PeerMessage>;
} {
  return {
    mediatorCodec: lazyCodec(() => load('mediator.proto', 'turbobeep.mediator.MediatorMessage')),
    peerCodec: lazyCodec(() => load('peer.proto', 'turbobeep.peer.PeerMessage')),
  };
}

type Plain = Record<string, unknown>;

const MAX_SIGNATURE_BYTES = 1024;
const MAX_FEATURES = 64;
/** More than fit into the 64 KiB of a manifest part, even if their names have one letter. */
const MAX_PART_ENTRIES = 16_384;

const EXACT_BYTES: Record<string, number> = {
  peerId: ID_BYTES,
  wantedId: ID_BYTES,
  nonce: NONCE_BYTES,
  token: TOKEN_BYTES,
  probeKey: PROBE_KEY_BYTES,
  introductionId: 16,
  runId: 16,
  journalId: JOURNAL_ID_BYTES,
  peerJournalId: JOURNAL_ID_BYTES,
  transfer: TRANSFER_ID_BYTES,
  sha256: 32,
};

/** Beside ids: what the journal keeps as text. */
const HEX_NAMES = new Set(['transfer', 'statement']);

/** Of what is repeated: a frame may hold so many empty ones that turning them into our own takes long, and much memory. */
const MAX_REPEATED: Record<string, number> = {
  candidates: MAX_CANDIDATES,
  seenPorts: MAX_SEEN_PORTS,
  sequences: MAX_READ_SEQUENCES,
  checkpoints: MAX_CHECKPOINTS,
  probes: MAX_CANDIDATES,
  features: MAX_FEATURES,
  entries: MAX_PART_ENTRIES,
};

function lazyCodec<Message>(load: () => MessageType): Codec<Message> {
  let loaded: MessageType | undefined;
  const type = (): MessageType => {
    loaded ??= load();
    return loaded;
  };
  return {
    encode: (message) =>
      Buffer.from(
        type()
          .encode(toWire(type(), message as Plain))
          .finish(),
      ),
    decode: (payload) => {
      try {
        return fromWire(type(), type().decode(payload) as Plain) as Message;
      } catch (error) {
        throw new ProtocolError(`message that cannot be read: ${errorMessage(error)}`, { cause: error });
      }
    },
  };
}

function toWire(type: MessageType, value: Plain): Plain {
  const wire: Plain = {};
  for (const field of type.fields) {
    if (field.inBody) continue;
    wire[field.name] = field.repeated
      ? (value[field.name] as unknown[]).map((item) => valueToWire(field, item))
      : valueToWire(field, value[field.name]);
  }
  if (type.hasBody) {
    const body = (isPureUnion(type) ? value : value.body) as Plain;
    const field = type.fields.find(({ name, inBody }) => inBody && name === body.kind);
    if (!field) throw new RangeError(`no message of kind ${body.kind}`);
    wire[field.name] = valueToWire(field, body);
  }
  return wire;
}

function valueToWire(field: Field, value: unknown): unknown {
  if (field.message) return isAlike(field.message) ? value : toWire(field.message, value as Plain);
  return isHex(field) ? Buffer.from(value as string, 'hex') : value;
}

const alike = new WeakMap<MessageType, boolean>();

/** Ours as it is on the wire, as the entries of a manifest are, of which there may be half a million. */
function isAlike(type: MessageType): boolean {
  const known = alike.get(type);
  if (known !== undefined) return known;
  const is = !type.hasBody && type.fields.every((field) => !field.message && !isHex(field));
  alike.set(type, is);
  return is;
}

function fromWire(type: MessageType, wire: Plain): Plain {
  const value: Plain = {};
  for (const field of type.fields) {
    if (field.inBody) continue;
    value[field.name] = field.repeated
      ? boundedList(field, wire[field.name] as unknown[]).map((item) => valueFromWire(field, item))
      : valueFromWire(field, wire[field.name]);
  }
  if (!type.hasBody) return value;
  const field = type.fields.find(({ name, inBody }) => inBody && Object.hasOwn(wire, name) && wire[name] != null);
  if (!field) throw new ProtocolError(`${type.name} of a kind that is not known`);
  const body = { kind: field.name, ...(valueFromWire(field, wire[field.name]) as Plain) };
  return isPureUnion(type) ? body : { kind: lowerFirst(type.name), ...value, body };
}

function boundedList(field: Field, list: unknown[]): unknown[] {
  if (list.length > (MAX_REPEATED[field.name] ?? Number.POSITIVE_INFINITY))
    throw new ProtocolError(`${list.length} ${field.name} in one message`);
  return list;
}

function valueFromWire(field: Field, value: unknown): unknown {
  if (field.message) {
    if (value == null) throw new ProtocolError(`${field.name} is missing`);
    return fromWire(field.message, value as Plain);
  }
  if (field.type === 'bytes') return bytesFromWire(field, value as Uint8Array);
  if (field.type.endsWith('64')) return safeInteger(field, numberOf(value));
  return value;
}

function bytesFromWire(field: Field, value: Uint8Array): Buffer | string {
  const expected = EXACT_BYTES[field.name];
  const mayBeEmpty = field.name === 'peerJournalId';
  if (
    expected === undefined
      ? value.length > (field.name === 'statement' ? MAX_SUCCESSION_BYTES : MAX_SIGNATURE_BYTES)
      : value.length !== expected && !(mayBeEmpty && value.length === 0)
  ) {
    throw new ProtocolError(`${field.name} of ${value.length} bytes`);
  }
  // A copy: the decoded message may outlive the socket's buffer that it would otherwise keep alive.
  const bytes = Buffer.from(value);
  return isHex(field) ? bytes.toString('hex') : bytes;
}

/** A 64-bit one is an object, which Number() would turn into decimal digits first. */
function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : (value as { toNumber(): number }).toNumber();
}

function safeInteger(field: Field, value: number): number {
  if (!Number.isSafeInteger(value)) throw new ProtocolError(`${field.name} is beyond 2^53`);
  return value;
}

function isHex(field: Field): boolean {
  return field.type === 'bytes' && (field.name.endsWith('Id') || HEX_NAMES.has(field.name));
}

/** A type that is nothing but its oneof, as the two envelopes are. */
function isPureUnion(type: MessageType): boolean {
  return type.fields.every(({ inBody }) => inBody);
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
