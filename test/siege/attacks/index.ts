import { type Attack, fromIpv6, fromMany, fromOne, fromTheirs } from '../attack.js';
import { deafFriends, growingDirectory, relayHogs, restlessFriends } from './friends.js';
import { knownProbes, replayedProbes, unknownProbes } from './probes.js';
import { connections, drip, hellos, oversize, silence, wrongKeys } from './strangers.js';

export const ATTACKS: Attack[] = [
  silence('connected and silent, one address', fromOne, 1_500),
  silence('connected and silent, many addresses', fromMany, 6_000, true),
  silence('connected and silent, the peers’ address', fromTheirs, 1_500),
  drip('handshakes a byte at a time', fromMany, 1_000),
  hellos('handshakes begun and left', fromMany, 2_000, { holds: true }),
  connections('connections, one address', fromOne, 64),
  connections('connections, many addresses', fromMany, 64),
  connections('connections, IPv6', fromIpv6, 64),
  hellos('handshakes, one address', fromOne, 128),
  hellos('handshakes, many addresses', fromMany, 512, { short: true }),
  hellos('handshakes, IPv6', fromIpv6, 128),
  hellos('handshakes, the peers’ address', fromTheirs, 128),
  oversize('frames of 4 GiB', fromMany, 32),
  wrongKeys('wrong keys, one address', fromOne, 200, true),
  wrongKeys('wrong keys, many addresses', fromMany, 200),
  unknownProbes('probes with unknown keys', true),
  replayedProbes('one probe replayed'),
  knownProbes('good probes without end'),
  relayHogs('relay hogs', true),
  deafFriends('friends who read nothing'),
  restlessFriends('friends who come over and over'),
  growingDirectory('friends added by the thousand'),
];
