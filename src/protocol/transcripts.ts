/**
 * What is signed, as fixed bytes: every part prefixed with its 32-bit length, a label per purpose in front. Never
 * protobuf, whose encoding is not unique; and never a bare nonce, which would make the signer an oracle.
 */

export const MEDIATOR_EXPORTER_LABEL = 'EXPORTER-turbo-beep/1-mediator';
export const PEER_EXPORTER_LABEL = 'EXPORTER-turbo-beep/1-peer';

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

export function lengthPrefixed(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}
