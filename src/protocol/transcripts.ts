/**
 * What is signed, as fixed bytes: every part prefixed with its 32-bit length, a label per purpose in front. Never
 * protobuf, whose encoding is not unique; and never a bare nonce, which would make the signer an oracle.
 */

export const MEDIATOR_EXPORTER_LABEL = 'EXPORTER-turbo-beep/1-mediator';
export const PEER_EXPORTER_LABEL = 'EXPORTER-turbo-beep/1-peer';

export const ROTATE_LABEL = 'turbo-beep/1 rotate';

export type Role = 'client' | 'server';

export interface MediatorTranscript {
  peerId: string;
  wantedId: string;
  /** SHA-256 of the mediator's SPKI: a signature for one mediator is worth nothing at another. */
  mediatorId: string;
  nonce: Buffer;
  /** From this TLS connection: the signature is worth nothing on any other. */
  exporter: Buffer;
}

export function mediatorTranscript(t: MediatorTranscript): Buffer {
  return lengthPrefixed([
    Buffer.from('turbo-beep/1 mediator'),
    Buffer.from(t.peerId, 'hex'),
    Buffer.from(t.wantedId, 'hex'),
    Buffer.from(t.mediatorId, 'hex'),
    t.nonce,
    t.exporter,
  ]);
}

export interface PeerTranscript {
  /** The role of the one who signs: its label keeps a proof from being sent back to its maker. */
  signer: Role;
  clientId: string;
  serverId: string;
  exporter: Buffer;
}

export function peerTranscript(t: PeerTranscript): Buffer {
  return lengthPrefixed([
    Buffer.from(`turbo-beep/1 peer-${t.signer}`),
    Buffer.from(t.clientId, 'hex'),
    Buffer.from(t.serverId, 'hex'),
    Buffer.from(t.signer === 'client' ? t.serverId : t.clientId, 'hex'),
    t.exporter,
  ]);
}

export interface RotateTranscript {
  formerId: string;
  successorId: string;
  /** When the succession was declared, Unix time. */
  atMs: number;
}

/** Signed by both keys: by the old one so that it is its owner's word, by the new one so that nobody names a stranger's. */
export function rotateTranscript(t: RotateTranscript): Buffer {
  return lengthPrefixed([
    Buffer.from(ROTATE_LABEL),
    Buffer.from(t.formerId, 'hex'),
    Buffer.from(t.successorId, 'hex'),
    timeBytes(t.atMs),
  ]);
}

/** As a 64-bit number. */
export function timeBytes(atMs: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(atMs));
  return bytes;
}

export function lengthPrefixed(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

/** The parts of what lengthPrefixed() made; null if it was not that. */
export function splitLengthPrefixed(bytes: Buffer): Buffer[] | null {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 4) return null;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return null;
    parts.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return parts;
}
