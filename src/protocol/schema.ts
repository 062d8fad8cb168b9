import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';

/** What wire.ts has to know of a message type of proto/. */
export interface MessageType {
  name: string;
  /** As declared. */
  fields: Field[];
  /** One of its fields is there, or none: it has a oneof named `body`. */
  hasBody: boolean;
  encode(wire: object): { finish(): Uint8Array };
  /** What is not there has its default. Throws on anything that is not a message of this type. */
  decode(payload: Uint8Array): object;
}

export interface Field {
  name: string;
  /** `bytes`, `uint64`, … */
  type: string;
  repeated: boolean;
  inBody: boolean;
  /** Null: it is no message itself. */
  message: MessageType | null;
}

/**
 * A type of proto/*.proto, by its full name. What is built has another file in this one's place, in which protobufjs has
 * made ready everything beforehand (scripts/lib/static-schema.mjs): at each start it would take as long as a handshake.
 */
export function loadType(file: string, name: string): MessageType {
  const schema = readFileSync(new URL(`../../proto/${file}`, import.meta.url), 'utf8');
  return describe(protobuf.parse(schema).root.resolveAll().lookupType(name));
}

function describe(type: protobuf.Type): MessageType {
  return {
    name: type.name,
    fields: type.fieldsArray.map(({ name, type: typeName, repeated, partOf, resolvedType }) => ({
      name,
      type: typeName,
      repeated,
      inBody: partOf !== null,
      message: resolvedType instanceof protobuf.Type ? describe(resolvedType) : null,
    })),
    hasBody: type.oneofs?.body !== undefined,
    encode: (wire) => type.encode(wire),
    decode: (payload) => type.decode(payload),
  };
}
