import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
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

/**
 * The one place where protobufjs is used: proto/*.proto in, this program's own messages out. A oneof named `body`
 * becomes a `kind`; ids and statements become hex; every field is present and every id, nonce and digest has its exact length.
 */
export interface Codec<Message> {
  /** Reads the schema, for which the first message would have to wait: for moments when there is nothing else to do. */
  prepare(): void;
  encode(message: Message): Buffer;
  /** Throws ProtocolError on anything that is not a well-formed message. */
  decode(payload: Buffer): Message;
}

export const mediatorCodec: Codec<MediatorMessage> = lazyCodec('mediator.proto', 'turbobeep.mediator.MediatorMessage');
export const peerCodec: Codec<PeerMessage> = lazyCodec('peer.proto', 'turbobeep.peer.PeerMessage');

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

function lazyCodec<Message>(file: string, typeName: string): Codec<Message> {
  let loaded: protobuf.Type | undefined;
  const type = (): protobuf.Type => {
    loaded ??= loadType(file, typeName);
    return loaded;
  };
  return {
    prepare: () => void type(),
    encode: (message) =>
      Buffer.from(
        type()
          .encode(toWire(type(), message as Plain))
          .finish(),
      ),
    decode: (payload) => {
      try {
        return fromWire(type(), type().decode(payload) as unknown as Plain) as Message;
      } catch (error) {
        throw new ProtocolError(`message that cannot be read: ${errorMessage(error)}`, { cause: error });
      }
    },
  };
}

function loadType(file: string, typeName: string): protobuf.Type {
  const schema = readFileSync(new URL(`../../proto/${file}`, import.meta.url), 'utf8');
  const root = protobuf.parse(schema).root.resolveAll();
  for (const type of typesIn(root)) type.setup = () => setUp(type);
  return root.lookupType(typeName);
}

function typesIn(namespace: protobuf.NamespaceBase): protobuf.Type[] {
  const nested = namespace.nestedArray.flatMap((each) => (each instanceof protobuf.Namespace ? typesIn(each) : []));
  return namespace instanceof protobuf.Type ? [namespace, ...nested] : nested;
}

/**
 * What protobufjs does when a type is first used, less three functions for JSON and checks that nobody needs: making
 * each is work for the compiler, at a moment when somebody waits for the session.
 */
function setUp(type: protobuf.Type): protobuf.Type {
  const { Reader, Writer, util } = protobuf;
  const types = type.fieldsArray.map((field) => field.resolve().resolvedType);
  type.encode = protobuf.encoder(type)({ Writer, types, util }) as protobuf.Type['encode'];
  type.decode = protobuf.decoder(type)({ Reader, types, util, C: type.ctor }) as protobuf.Type['decode'];
  return type;
}

function toWire(type: protobuf.Type, value: Plain): Plain {
  const wire: Plain = {};
  for (const field of type.fieldsArray) {
    if (field.partOf) continue;
    wire[field.name] = field.repeated
      ? (value[field.name] as unknown[]).map((item) => valueToWire(field, item))
      : valueToWire(field, value[field.name]);
  }
  if (type.oneofs?.body) {
    const body = (isPureUnion(type) ? value : value.body) as Plain;
    const field = type.fields[body.kind as string];
    if (!field) throw new RangeError(`no message of kind ${body.kind}`);
    wire[field.name] = valueToWire(field, body);
  }
  return wire;
}

function valueToWire(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) return toWire(field.resolvedType, value as Plain);
  return isHex(field) ? Buffer.from(value as string, 'hex') : value;
}

function fromWire(type: protobuf.Type, wire: Plain): Plain {
  const value: Plain = {};
  for (const field of type.fieldsArray) {
    if (field.partOf) continue;
    value[field.name] = field.repeated
      ? boundedList(field, wire[field.name] as unknown[]).map((item) => valueFromWire(field, item))
      : valueFromWire(field, wire[field.name]);
  }
  if (!type.oneofs?.body) return value;
  const field = type.oneofs.body.fieldsArray.find(({ name }) => Object.hasOwn(wire, name) && wire[name] != null);
  if (!field) throw new ProtocolError(`${type.name} of a kind that is not known`);
  const body = { kind: field.name, ...(valueFromWire(field, wire[field.name]) as Plain) };
  return isPureUnion(type) ? body : { kind: lowerFirst(type.name), ...value, body };
}

function boundedList(field: protobuf.Field, list: unknown[]): unknown[] {
  if (list.length > (MAX_REPEATED[field.name] ?? Number.POSITIVE_INFINITY))
    throw new ProtocolError(`${list.length} ${field.name} in one message`);
  return list;
}

function valueFromWire(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) {
    if (value == null) throw new ProtocolError(`${field.name} is missing`);
    return fromWire(field.resolvedType, value as Plain);
  }
  if (field.type === 'bytes') return bytesFromWire(field, value as Uint8Array);
  if (field.type.endsWith('64')) return safeInteger(field, numberOf(value));
  return value;
}

function bytesFromWire(field: protobuf.Field, value: Uint8Array): Buffer | string {
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

function safeInteger(field: protobuf.Field, value: number): number {
  if (!Number.isSafeInteger(value)) throw new ProtocolError(`${field.name} is beyond 2^53`);
  return value;
}

function isHex(field: protobuf.Field): boolean {
  return field.type === 'bytes' && (field.name.endsWith('Id') || HEX_NAMES.has(field.name));
}

/** A type that is nothing but its oneof, as the two envelopes are. */
function isPureUnion(type: protobuf.Type): boolean {
  return type.oneofsArray.length === 1 && type.oneofsArray[0]?.fieldsArray.length === type.fieldsArray.length;
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
