import { TOKEN_BYTES } from '../../protocol/constants.js';
import type { Candidate } from '../../protocol/messages.js';
import { vetCandidates } from '../paths/candidates.js';

/** What is kept of a meeting for the next one without a mediator. */
export interface RememberedPeer {
  /** Newest first. The one before is good as well: one side may not have heard of the newest. */
  tokens: Buffer[];
  /** The port to listen on again: the peer was told it. 0: none yet. */
  port: number;
  /** Where the peer said it may be reached. */
  candidates: Candidate[];
  /** They met by a mediator on loopback. */
  loopbackAllowed: boolean;
  rememberedAtMs: number;
}

const EXPIRES_AFTER_MS = 30 * 24 * 3600 * 1000;

export const NOBODY: RememberedPeer = {
  tokens: [],
  port: 0,
  candidates: [],
  loopbackAllowed: false,
  rememberedAtMs: 0,
};

export function writeRemembered(peer: RememberedPeer): string {
  return JSON.stringify({ ...peer, tokens: peer.tokens.map((token) => token.toString('hex')) });
}

/** NOBODY for what was never written, is too old, or cannot be read. */
export function readRemembered(json: string, nowMs: number): RememberedPeer {
  try {
    const read = JSON.parse(json);
    const tokens = (read.tokens as string[]).map((token) => Buffer.from(token, 'hex'));
    const isValid =
      tokens.every(({ length }) => length === TOKEN_BYTES) && nowMs - read.rememberedAtMs < EXPIRES_AFTER_MS;
    if (!isValid) return NOBODY;
    return { ...read, tokens, candidates: vetCandidates(read.candidates, read.loopbackAllowed) };
  } catch {
    return NOBODY;
  }
}
