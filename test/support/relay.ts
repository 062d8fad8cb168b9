import type { RelayLimits } from '../../src/server/relay/allowances.js';

export const UNLIMITED_RELAY: RelayLimits = { sessions: true, bytesPerSecond: null, bytesPerDay: null };
