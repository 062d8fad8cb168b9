import { formatEndpoint } from '../protocol/address.js';
import type { Endpoint } from '../protocol/messages.js';
import { escapeInJson, sanitise } from '../protocol/sanitise.js';
import { verificationWords } from '../protocol/words.js';
import { formatBytes } from './bytes.js';
import type { RelayLimits } from './relay/allowances.js';

export interface Started {
  version: string;
  where: Endpoint;
  udpPorts: number[];
  /** Of the mediator's own key. */
  id: string;
  keys: number;
  certs: string;
  relay: RelayLimits;
}

/** The two ways in which the mediator says what happens. */
export interface Reporter {
  started(started: Started): void;
  keys(count: number): void;
}

/** For people. @param print takes whole lines */
export function textReporter(print: (text: string) => void): Reporter {
  return {
    started: (started) => print(sanitise(startedText(started))),
    keys: (count) => print(`Now admits ${countKeys(count)}.`),
  };
}

/** For programs: the contract's events. @param print takes whole lines */
export function jsonReporter(print: (text: string) => void): Reporter {
  const event = (fields: object) => print(escapeInJson(JSON.stringify(fields)));
  return {
    started: ({ where: { address, port }, udpPorts, id, keys }) =>
      event({ event: 'listening', host: address, port, udpPorts, fingerprint: id, keys }),
    keys: (count) => event({ event: 'keys', keys: count }),
  };
}

function startedText({ version, where, udpPorts, id, keys, certs, relay }: Started): string {
  const everywhere = where.address === '::' || where.address === '0.0.0.0';
  return [
    `turbo-beep mediator ${version}, listening on ${formatEndpoint(where)}${everywhere ? ' (every address of this machine)' : ''}`,
    `  its key   ${id}`,
    `            ${verificationWords(id).join(' ')}`,
    `  UDP       ${udpPorts.length > 0 ? `ports ${udpPorts.join(' and ')}: let them through the firewall like the TCP port` : 'none'}`,
    `  admits    ${countKeys(keys)} from ${certs}`,
    `  relay     ${relayText(relay)}`,
    '',
    `Next: put each person's public.pem under ${certs}, under any name that ends in .pem; it counts within a second.`,
    `Then each of them runs: p2p ADDRESS-OF-THIS-MACHINE ${where.port} mykeypair.pem PUBLIC-KEY-OF-THE-OTHER`,
    'Ctrl-C ends it.',
  ].join('\n');
}

function relayText({ sessions, bytesPerSecond, bytesPerDay }: RelayLimits): string {
  if (!sessions) return 'carries no sessions (--no-relay)';
  const limits = [
    ...(bytesPerSecond === null ? [] : [`${formatBytes(bytesPerSecond)} a second`]),
    ...(bytesPerDay === null ? [] : [`${formatBytes(bytesPerDay)} in 24 hours`]),
  ];
  const most = limits.length === 0 ? '' : `, at most ${limits.join(' and ')} for each pair`;
  return `carries sessions that find no path of their own${most}`;
}

function countKeys(count: number): string {
  return count === 1 ? '1 key' : `${count} keys`;
}
