import { EventEmitter } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { type Gateway, pmpNat, upnpNat } from '@achingbrain/nat-port-mapper';
import { withDeadline } from '../../deadline.js';
import { LEASE_SECONDS } from './lease.js';
import type { Granted, LibraryJob, LibraryWord } from './library-jobs.js';
import { localAddressTowards } from './local-address.js';

/**
 * The only file that knows the library for UPnP IGD and NAT-PMP, in a thread of its own: a packet or a document from
 * anybody on the LAN can make the library throw where nobody catches, or hold as much as it is sent.
 */
const SEARCH_EVERY_MS = 500;
const WAN_CONNECTION = 'urn:schemas-upnp-org:service:WANIPConnection:2';

/** UPnP gateways that were found, by their addresses. */
const found = new Map<string, Gateway>();

parentPort?.on('message', (job: LibraryJob) => {
  const never = new AbortController().signal;
  const perform = job.language === 'UPnP' ? performByUpnp : performByNatPmp;
  withDeadline(job.timeoutMs, never, (signal) => perform(job, signal)).then(
    (granted) => say({ number: job.number, ...granted }),
    (error) => say({ number: job.number, problem: error instanceof Error ? error.message : String(error) }),
  );
});

say('ready');

function say(word: LibraryWord): void {
  parentPort?.postMessage(word);
}

async function performByUpnp(job: LibraryJob, signal: AbortSignal): Promise<Granted> {
  const gateway = await findGateway(job.gateway, signal);
  const { transport: protocol, internalPort, externalPort } = job;
  if (job.kind === 'end') {
    await deletePortMapping(gateway, job, signal);
    return { gateway: gateway.host, external: { address: '', port: externalPort } };
  }
  const internalHost = await localAddressTowards(gateway.host);
  const ttl = LEASE_SECONDS * 1000;
  // Last, so that no mapping is made that nobody hears of.
  const address = await gateway.externalIp({ signal });
  const mapping = await gateway.map(internalPort, internalHost, { protocol, externalPort, ttl, signal });
  return { gateway: gateway.host, external: { address, port: mapping.externalPort } };
}

async function findGateway(host: string | null, signal: AbortSignal): Promise<Gateway> {
  const known = host === null ? found.values().next().value : found.get(host);
  if (known) return known;
  const client = upnpNat({ autoRefresh: false, description: 'turbo-beep' });
  for await (const gateway of client.findGateways({ signal, searchInterval: SEARCH_EVERY_MS })) {
    if (gateway.family !== 'IPv4' || (host !== null && gateway.host !== host)) continue;
    found.set(gateway.host, gateway);
    return gateway;
  }
  throw new Error('no answer');
}

/** What the library's UPnP gateways have besides their documented methods. */
interface Device {
  run(service: string, action: string, words: [string, string | number][], options: object): Promise<unknown>;
}

/** By hand: the library's `unmap` names the internal port as the external one, and no transport. */
async function deletePortMapping(gateway: Gateway, job: LibraryJob, signal: AbortSignal): Promise<void> {
  const device = await (gateway as Gateway & { getGateway(): Promise<Device> }).getGateway();
  const words: [string, string | number][] = [
    ['NewRemoteHost', ''],
    ['NewExternalPort', job.externalPort],
    ['NewProtocol', job.transport.toUpperCase()],
  ];
  await device.run(WAN_CONNECTION, 'DeletePortMapping', words, { signal });
}

async function performByNatPmp(job: LibraryJob, signal: AbortSignal): Promise<Granted> {
  const { gateway: host, transport: protocol, internalPort, externalPort } = job;
  if (host === null) throw new Error('the gateway is not known');
  const gateway = pmpNat(host, { autoRefresh: false });
  // Unheard, an error of its socket would end the thread.
  if (gateway instanceof EventEmitter) gateway.on('error', () => {});
  try {
    // In seconds, unlike what it says: it sends them as they are.
    const ttl = job.kind === 'end' ? 0 : LEASE_SECONDS;
    // Last, so that no mapping is made that nobody hears of.
    const address = job.kind === 'end' ? '' : await gateway.externalIp({ signal });
    const mapping = await gateway.map(internalPort, '', { protocol, externalPort, ttl, signal });
    return { gateway: host, external: { address, port: mapping.externalPort } };
  } finally {
    await gateway.stop();
  }
}
