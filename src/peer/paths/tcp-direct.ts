import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { plainAddress } from '../../protocol/address.js';
import { errorCode } from '../../protocol/errors.js';
import type { Candidate } from '../../protocol/messages.js';
import { dial } from '../dial.js';
import { hostAddresses } from './addresses.js';
import { dialBudget } from './dial-budget.js';
import type { Path, PathFactory, PathSurroundings } from './path.js';
import type { SendBudget } from './send-budget.js';

const CONNECT_TIMEOUT_MS = 4_000;
/** The peer may begin to listen a little after we begin to dial. */
const REFUSED_RETRY_MS = 200;
const REFUSED_RETRIES = 5;
const BACKLOG = 16;

/** Ordinary TCP connections, both ways: one listener, and one dial to each of the peer's TCP candidates. */
export const tcpDirect = tcpDirectWithin(dialBudget);

export function tcpDirectWithin(budget: SendBudget): PathFactory {
  return (surroundings) => new TcpDirect(surroundings, budget);
}

class TcpDirect implements Path {
  readonly #surroundings: PathSurroundings;
  readonly #budget: SendBudget;
  #listener: net.Server | null = null;
  #stopped = false;

  constructor(surroundings: PathSurroundings, budget: SendBudget) {
    this.#surroundings = surroundings;
    this.#budget = budget;
  }

  async gather(): Promise<Candidate[]> {
    this.#listener = await listen({ port: 0 }, (socket) => this.#accept(socket));
    const { port } = this.#listener.address() as net.AddressInfo;
    if (this.#stopped) this.#listener.close();
    return hostAddresses(this.#surroundings.loopbackAllowed).map((address) => ({
      type: 'host',
      transport: 'tcp',
      address,
      port,
      seenPorts: [],
    }));
  }

  async attempt(candidates: Candidate[], signal: AbortSignal): Promise<void> {
    const targets = candidates.filter(({ transport }) => transport === 'tcp');
    await Promise.all(targets.map((candidate) => this.#dialPatiently(candidate, signal)));
  }

  stop(): void {
    this.#stopped = true;
    this.#listener?.close();
  }

  #accept(socket: net.Socket): void {
    socket.setNoDelay(true);
    const remote = { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
    this.#surroundings.opened('tcp-direct', { stream: socket, remote, dialled: false });
  }

  async #dialPatiently(candidate: Candidate, signal: AbortSignal): Promise<void> {
    for (let retries = REFUSED_RETRIES; !signal.aborted; retries -= 1) {
      if (!this.#budget.spend(candidate.address, performance.now())) {
        this.#surroundings.failed('tcp-direct', candidate, 'not tried any more: too many attempts');
        return;
      }
      try {
        const { address: host, port } = candidate;
        const stream = await dial({ host, port }, CONNECT_TIMEOUT_MS, signal);
        this.#surroundings.opened('tcp-direct', { stream, remote: candidate, dialled: true });
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (errorCode(error) !== 'ECONNREFUSED' || retries === 0) {
          this.#surroundings.failed('tcp-direct', candidate, outcomeOf(error));
          return;
        }
      }
      await sleep(REFUSED_RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** Without a host on every address, IPv6 and IPv4 alike; on IPv4 alone where the machine has no IPv6. */
export function listen(
  where: { host?: string; port: number },
  onConnection: (socket: net.Socket) => void,
): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer(onConnection);
    server.maxConnections = 64;
    server.once('error', reject);
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.off('error', reject);
      // An accept that fails (no descriptors left) costs that one connection.
      server.on('error', () => {});
      resolve(server);
    });
  });
}

function outcomeOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'ECONNREFUSED':
      return 'refused';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no route';
    default:
      return error instanceof Error && error.message === 'no answer' ? 'no answer' : (errorCode(error) ?? 'failed');
  }
}
