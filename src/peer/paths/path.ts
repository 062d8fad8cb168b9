import type { Duplex } from 'node:stream';
import type { Candidate, Endpoint, Introduction, PathKind } from '../../protocol/messages.js';
import type { Role } from '../../protocol/transcripts.js';

/** A connected stream on which nothing was said yet: the race exchanges prefaces and runs the second handshake on it. */
export interface OpenedStream {
  stream: Duplex;
  remote: Endpoint;
  /** This side opened it, and so speaks first. */
  dialled: boolean;
}

export interface PathSurroundings {
  introduction: Introduction;
  /** This side's part in TLS; where both ends of a path would do the same, it tells them apart. */
  role: Role;
  /** The local end of the connection to the mediator. */
  local: Endpoint;
  /** All that the mediator's name resolves to; first the one that we are connected to. */
  mediatorAddresses: readonly string[];
  loopbackAllowed: boolean;
  /** Aborts when the session has a link: until then its handshakes need this thread more than anything else. */
  carried: AbortSignal;
  /** Aborts when the peer was reached without the relay. */
  direct: AbortSignal;
  /** Candidates beyond those gathered at first. */
  tell(candidates: Candidate[]): void;
  opened(path: PathKind, opened: OpenedStream): void;
  /** How an attempt that never got as far as a stream ended, for people. */
  failed(path: PathKind, remote: Endpoint, why: string): void;
}

/** One way to reach the peer, for the length of one race. */
export interface Path {
  /** Makes ready to be reached, and says where. */
  gather(): Promise<Candidate[]>;
  /**
   * Tries to reach the peer at these (already vetted) candidates, until the signal aborts or nothing is left to try.
   * Called again, perhaps before that, with what the peer tells later.
   */
  attempt(candidates: Candidate[], signal: AbortSignal): Promise<void>;
  /** Leaves no socket that was not handed to `opened`. */
  stop(): void;
}

export type PathFactory = (surroundings: PathSurroundings) => Path;
