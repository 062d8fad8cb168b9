/**
 * The messages of both protocols as this program handles them; proto/*.proto is the same on the wire. Ids are
 * lower-case hex; other bytes are Buffers; 64-bit numbers are safe integers (wire.ts refuses larger ones).
 */

export interface Endpoint {
  address: string;
  port: number;
}

export type MediatorMessage =
  | { kind: 'register'; version: number; peerId: string; wantedId: string }
  | { kind: 'challenge'; nonce: Buffer }
  | { kind: 'response'; signature: Buffer }
  | { kind: 'admitted'; reflexive: Endpoint; nowMs: number; followsSuccessions: boolean }
  | { kind: 'refused'; reason: string }
  | { kind: 'waiting' }
  | Introduction
  | { kind: 'meet' }
  | { kind: 'replaced' }
  | { kind: 'goodbye'; reason: string }
  | { kind: 'ping'; nonce: number }
  | { kind: 'pong'; nonce: number }
  | { kind: 'wantProbes' }
  | { kind: 'probes'; probes: Endpoint[]; probeKey: Buffer }
  | { kind: 'succession'; statement: string }
  | { kind: 'succeeded'; admitted: boolean };

export interface Introduction {
  kind: 'introduction';
  introductionId: string;
  token: Buffer;
  reflexive: Endpoint;
  startInMs: number;
  relayQuota: number;
  /** An empty address: the one that the connection to the mediator goes to. */
  probes: Endpoint[];
  probeKey: Buffer;
}

export type PathKind = 'tcp-direct' | 'tcp-punch' | 'udp-punch' | 'relay';
export const PATH_KINDS: readonly PathKind[] = ['tcp-direct', 'tcp-punch', 'udp-punch', 'relay'];

export type CandidateType = 'host' | 'reflexive' | 'peer-reflexive' | 'mapped';

export interface Candidate extends Endpoint {
  type: CandidateType;
  transport: 'tcp' | 'udp';
  /** Of a reflexive UDP candidate: where the mediator saw each probe come from, in order. Else empty. */
  seenPorts: number[];
}

export interface Held {
  /** '' when nothing of the receiver's was ever seen. */
  peerJournalId: string;
  peerSequence: number;
  journalId: string;
  firstSequence: number;
}

export interface Hello {
  kind: 'hello';
  version: number;
  features: string[];
  runId: string;
  journalId: string;
  group: string;
  path: string;
}

export interface ManifestEntry {
  /** Relative, '/' between the parts; the first part is the name of the thing sent. Never trusted as a local path. */
  path: string;
  directory: boolean;
  size: number;
  mode: number;
  mtimeMs: number;
}

export type ItemBody =
  /** `lifetimeMs`: absent or 0 if it stays. */
  | { kind: 'text'; text: string; lifetimeMs?: number }
  | { kind: 'disappear'; lifetimeMs: number; number: number }
  | { kind: 'disappearAnswer'; number: number; agreed: boolean }
  | { kind: 'read'; journalId: string; sequences: number[] }
  | { kind: 'manifestPart'; transfer: string; entries: ManifestEntry[] }
  | { kind: 'offer'; transfer: string; entries: number; bytes: number }
  | { kind: 'accept'; transfer: string }
  | { kind: 'decline'; transfer: string; reason: string }
  | { kind: 'cancel'; transfer: string; reason: string }
  /** `skipped`: absent or 0 if no file was. */
  | { kind: 'done'; transfer: string; skipped?: number }
  /** As succession.ts makes it, in hex. */
  | { kind: 'succession'; statement: string };

export interface Item {
  kind: 'item';
  sequence: number;
  atMs: number;
  body: ItemBody;
}

export interface Checkpoint {
  length: number;
  sha256: Buffer;
}

export interface Want {
  kind: 'want';
  transfer: string;
  stream: number;
  entry: number;
  checkpoints: Checkpoint[];
}

export interface Remember {
  kind: 'remember';
  token: Buffer;
  candidates: Candidate[];
}

export type PeerMessage =
  | { kind: 'proof'; signature: Buffer }
  | Hello
  | { kind: 'candidates'; introductionId: string; candidates: Candidate[] }
  | { kind: 'activate'; epoch: number; path: string; why: string; held: Held }
  | { kind: 'activated'; epoch: number; held: Held }
  | Item
  | { kind: 'ack'; journalId: string; sequence: number }
  | Want
  | { kind: 'resume'; stream: number; entry: number; offset: number }
  | { kind: 'fileEnd'; stream: number; entry: number; size: number; sha256: Buffer }
  | { kind: 'skip'; stream: number; entry: number }
  | { kind: 'consumed'; stream: number; bytes: number }
  | { kind: 'ping'; nonce: number }
  | { kind: 'pong'; nonce: number }
  | { kind: 'end'; reason: string }
  | { kind: 'pipeWant'; offset: number }
  | { kind: 'pipeEnd'; length: number }
  | { kind: 'pipeDone' }
  | Remember;
