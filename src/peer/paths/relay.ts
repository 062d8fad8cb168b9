import type net from 'node:net';
import type { Endpoint } from '../../protocol/messages.js';
import { dial } from '../dial.js';

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * A connection of one's own to the mediator's port. Both peers dial it, and the mediator forwards between the two
 * whose prefaces it recognises; it is a path like any other, sealed end to end.
 */
export function dialRelay(mediator: Endpoint, signal: AbortSignal): Promise<net.Socket> {
  return dial({ host: mediator.address, port: mediator.port, keepAlive: true }, CONNECT_TIMEOUT_MS, signal);
}
