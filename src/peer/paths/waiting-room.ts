import { versionOf } from '../../protocol/address.js';
import { addressBytes } from '../../protocol/address-bytes.js';
import type { OpenedStream } from './path.js';

/** More than peers open at once. */
export const MAX_WAITING = 48;
/** A peer speaks at once: this is many times the longest way here. */
export const MAX_SILENCE_MS = 4_000;

interface Visitor {
  network: string;
  timer: NodeJS.Timeout;
}

/**
 * Streams that somebody opened to us and on which no preface that we know has come yet. Strangers who say nothing must
 * not keep a peer out: nobody may be silent for long, and when they are too many, one has to go of the network that has
 * most of them here, the one that has waited longest. So a flood from one place pushes itself out, and not the peer.
 */
export class WaitingRoom {
  readonly #waiting = new Map<OpenedStream['stream'], Visitor>();

  enter({ stream, remote }: OpenedStream): void {
    if (this.#waiting.size >= MAX_WAITING) this.#showOneOut();
    const timer = setTimeout(() => stream.destroy(), MAX_SILENCE_MS);
    this.#waiting.set(stream, { network: networkOf(remote.address), timer });
    stream.once('close', () => this.leave({ stream }));
  }

  leave({ stream }: Pick<OpenedStream, 'stream'>): void {
    clearTimeout(this.#waiting.get(stream)?.timer);
    this.#waiting.delete(stream);
  }

  #showOneOut(): void {
    const counts = new Map<string, number>();
    for (const { network } of this.#waiting.values()) counts.set(network, (counts.get(network) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const [longest] = [...this.#waiting].find(([, { network }]) => counts.get(network) === most) ?? [];
    if (!longest) return;
    this.leave({ stream: longest });
    longest.destroy();
  }
}

/** Who has one IPv6 address mostly has all of its /64. */
function networkOf(address: string): string {
  const bytes = addressBytes(address);
  return (versionOf(address) === 6 ? bytes.subarray(0, 8) : bytes).toString('hex');
}
