import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { plainAddress, versionOf } from '../../protocol/address.js';
import type { Candidate, Endpoint } from '../../protocol/messages.js';
import { dialBudget } from './dial-budget.js';
import type { Path, PathFactory, PathSurroundings } from './path.js';
import type { SendBudget } from './send-budget.js';
import { listen } from './tcp-direct.js';

/**
 * A NAT that answers the first SYN with RST opens on a later one, if that comes soon enough. By chance, since two that
 * kept step would each dial while the other does, and does not listen.
 */
const RETRY_MS = { least: 20, most: 50 };
/** The others are listened on, and dialled by tcp-direct. */
const PUNCHED: readonly Candidate['type'][] = ['reflexive', 'peer-reflexive'];
/** Of dials to one port in one race: who opens at all opens sooner. */
const MAX_DIALS = 100;

/**
 * TCP simultaneous open (RFC 9293, section 3.5): both dial from the very port that their connection to the mediator
 * uses, whose mapping in the NAT the mediator saw, and listen there between the dials. Linux lets a port be dialled
 * from and then listened on, but not the other way round: so each round of dials closes the listener first.
 */
export const tcpPunch = tcpPunchWithin(dialBudget);

export function tcpPunchWithin(budget: SendBudget): PathFactory {
  return (surroundings) => new TcpPunch(surroundings, budget);
}

class TcpPunch implements Path {
  readonly #surroundings: PathSurroundings;
  readonly #budget: SendBudget;
  readonly #stopping = new AbortController();
  /** What is being tried now, by its key. */
  readonly #targets = new Map<string, Candidate>();
  readonly #dialling = new Map<string, net.Socket>();
  readonly #dials = new Map<string, number>();
  readonly #opened = new Set<string>();
  #listener: net.Server | null = null;
  #rounds: Promise<void> | null = null;
  /** Begins the next round: a dial has failed, or there are other targets. */
  #nextRound: () => void = () => {};

  constructor(surroundings: PathSurroundings, budget: SendBudget) {
    this.#surroundings = surroundings;
    this.#budget = budget;
  }

  async gather(): Promise<Candidate[]> {
    const { address, port } = this.#surroundings.introduction.reflexive;
    return [{ type: 'reflexive', transport: 'tcp', address, port, seenPorts: [] }];
  }

  async attempt(candidates: Candidate[], signal: AbortSignal): Promise<void> {
    const family = versionOf(plainAddress(this.#surroundings.local.address));
    const targets = candidates.filter(
      ({ transport, type, address }) => transport === 'tcp' && PUNCHED.includes(type) && versionOf(address) === family,
    );
    if (targets.length === 0) return;
    for (const target of targets) this.#targets.set(keyOf(target), target);
    this.#nextRound();
    this.#rounds ??= this.#dialAndListen(family);
    await Promise.race([aborted(signal), this.#rounds]);
    for (const target of targets) {
      this.#targets.delete(keyOf(target));
      if (!this.#opened.has(keyOf(target))) this.#surroundings.failed('tcp-punch', target, 'did not open');
    }
    this.#nextRound();
  }

  stop(): void {
    this.#stopping.abort();
    this.#listener?.close();
    for (const socket of this.#dialling.values()) socket.destroy();
    this.#nextRound();
  }

  async #dialAndListen(family: number): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#targets.size > 0 && !signal.aborted) {
      const nextRound = new Promise<void>((resolve) => {
        this.#nextRound = resolve;
      });
      this.#listener?.close();
      for (const target of this.#targets.values()) this.#dial(target);
      // Node binds a dialling socket in the next tick; the listener must come after it.
      await new Promise(setImmediate);
      await this.#listen(family);
      await nextRound;
      const retryMs = RETRY_MS.least + Math.random() * (RETRY_MS.most - RETRY_MS.least);
      await sleep(retryMs, undefined, { signal }).catch(() => {});
    }
    this.#rounds = null;
  }

  #dial(target: Candidate): void {
    const key = keyOf(target);
    const dials = this.#dials.get(key) ?? 0;
    if (this.#dialling.has(key) || this.#opened.has(key) || dials >= MAX_DIALS) return;
    if (!this.#budget.spend(target.address, performance.now())) return;
    this.#dials.set(key, dials + 1);
    const { local } = this.#surroundings;
    const socket = net.connect({
      host: target.address,
      port: target.port,
      localAddress: versionOf(target.address) === 6 ? '::' : '0.0.0.0',
      localPort: local.port,
      noDelay: true,
    });
    this.#dialling.set(key, socket);
    const fail = () => {
      this.#dialling.delete(key);
      this.#nextRound();
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      this.#dialling.delete(key);
      // There is nothing to gain from a second connection to the same place, unless the other side's listener was
      // closed for its next round before it had accepted this one.
      this.#opened.add(key);
      socket.once('close', () => {
        if (socket.bytesRead > 0) return;
        this.#opened.delete(key);
        this.#nextRound();
      });
      this.#surroundings.opened('tcp-punch', { stream: socket, remote: target, dialled: true });
    });
  }

  async #listen(family: number): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const where = { host: family === 6 ? '::' : '0.0.0.0', port: this.#surroundings.local.port };
    // A port that cannot be listened on still can be dialled from.
    this.#listener = await listen(where, (socket) => this.#accept(socket)).catch(() => null);
    if (this.#stopping.signal.aborted) this.#listener?.close();
  }

  #accept(socket: net.Socket): void {
    socket.setNoDelay(true);
    const remote = { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
    this.#opened.add(keyOf(remote));
    this.#surroundings.opened('tcp-punch', { stream: socket, remote, dialled: false });
  }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
