import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Candidate } from '../../../protocol/messages.js';
import { isLoopback } from '../addresses.js';
import type { PortRequest } from './lease.js';
import type { MappedPort } from './mapped-port.js';
import type { MapPort } from './port-mapper.js';

type Transport = Candidate['transport'];

export interface MappedCandidatesOptions {
  mapPort: MapPort;
  /** This peer's address as the mediator sees it. */
  reflexive: string;
  /** Later than all others, for gateways take their time. */
  tell(candidate: Candidate): void;
}

/**
 * The candidates that a gateway makes of a race's host candidates, for as long as the race lasts or a link carries that
 * came of it. A gateway that is itself behind another one names a private address: that is told too, for a peer behind
 * the same outer one may well reach it.
 */
export class MappedCandidates {
  readonly #o: MappedCandidatesOptions;
  readonly #stopping = new AbortController();
  readonly #mapped = new Map<MappedPort, Transport>();
  readonly #carrying: Record<Transport, number> = { tcp: 0, udp: 0 };

  constructor(options: MappedCandidatesOptions) {
    this.#o = options;
  }

  /** Begins to map what a path listens on. Says nothing if that comes to nothing. */
  map(gathered: readonly Candidate[]): void {
    for (const request of this.#portsBehindGateway(gathered)) this.#map(request).catch(() => {});
  }

  /** Some gateways cut what runs through a mapping that is taken away. */
  keepFor(transport: Transport, stream: Duplex): void {
    if (stream.closed) return;
    this.#carrying[transport] += 1;
    stream.once('close', () => {
      this.#carrying[transport] -= 1;
      this.#releaseUnused();
    });
  }

  /** The race is over. */
  stop(): void {
    this.#stopping.abort(new Error('the race is over'));
    this.#releaseUnused();
  }

  #portsBehindGateway(gathered: readonly Candidate[]): PortRequest[] {
    const hosts = gathered.filter(
      ({ type, address }) => type === 'host' && net.isIPv4(address) && !isLoopback(address),
    );
    if (hosts.some(({ address }) => address === this.#o.reflexive)) return [];
    const ports = new Map(
      hosts.map(({ transport, port }) => [`${transport} ${port}`, { transport, internalPort: port }]),
    );
    return [...ports.values()];
  }

  async #map(request: PortRequest): Promise<void> {
    const mapped = await this.#o.mapPort({ ...request, signal: this.#stopping.signal });
    this.#mapped.set(mapped, request.transport);
    if (this.#stopping.signal.aborted) this.#releaseUnused();
    else this.#o.tell({ type: 'mapped', transport: request.transport, ...mapped.external, seenPorts: [] });
  }

  #releaseUnused(): void {
    if (!this.#stopping.signal.aborted) return;
    for (const [mapped, transport] of this.#mapped) {
      if (this.#carrying[transport] > 0) continue;
      this.#mapped.delete(mapped);
      void mapped.release();
    }
  }
}
