import type { Endpoint } from '../../../protocol/messages.js';

/** A port of this machine that is to be reached from outside. */
export interface PortRequest {
  transport: 'tcp' | 'udp';
  internalPort: number;
}

/** What a gateway has granted, and for how long. */
export interface Lease {
  external: Endpoint;
  lifetimeMs: number;
  /** Asks for the same again, before it is over. @returns the new lifetime */
  renew(signal: AbortSignal): Promise<number>;
  end(signal: AbortSignal): Promise<void>;
}

/** One language that gateways speak. @param gateway the IPv4 address of the default route; null: not known */
export type AskForLease = (request: PortRequest, gateway: string | null, signal: AbortSignal) => Promise<Lease>;

/** A killed program's mapping leads to a port that nobody listens on, for no longer than this. */
export const LEASE_SECONDS = 3600;
