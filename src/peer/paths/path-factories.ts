import type { PathKind } from '../../protocol/messages.js';
import type { PathFactory } from './path.js';
import { tcpDirect } from './tcp-direct.js';
import { tcpPunch } from './tcp-punch.js';
import { udpPunch } from './udp-punch.js';

/** Each way to reach a peer is one file beside this, and one line here; the relay is the race's own. */
export const PATH_FACTORIES: Partial<Record<PathKind, PathFactory>> = {
  'tcp-direct': tcpDirect,
  'tcp-punch': tcpPunch,
  'udp-punch': udpPunch,
};
