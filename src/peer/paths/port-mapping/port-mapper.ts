import { errorMessage } from '../../../protocol/errors.js';
import { withDeadline } from '../../deadline.js';
import { hostAddresses, isUsable } from '../addresses.js';
import { askByPcp } from './ask-by-pcp.js';
import { defaultGateway } from './gateway-address.js';
import type { AskForLease, Lease, PortRequest } from './lease.js';
import { Library } from './library.js';
import { MappedPort } from './mapped-port.js';

/** What a path asks for. Rejects, within little more than three seconds and what a thread takes to start, if no gateway does it. */
export type MapPort = (request: PortRequest & { signal: AbortSignal }) => Promise<MappedPort>;

interface Language {
  name: string;
  ask: AskForLease;
}

/** A network whose gateway maps no ports is not asked again so soon. */
const TRY_AGAIN_AFTER_MS = 60_000;

/** Asks the gateway to lead ports of its own to ports of this machine, in the languages that gateways speak. */
export class PortMapper {
  readonly #library = new Library();
  #languages: Language[] = [
    { name: 'PCP', ask: within(500, askByPcp) },
    { name: 'NAT-PMP', ask: this.#library.askBy('NAT-PMP', 500) },
    { name: 'UPnP', ask: this.#library.askBy('UPnP', 2_000) },
  ];
  readonly #mapped = new Set<MappedPort>();
  #failed: { network: string; why: string; untilMs: number } | null = null;
  #stopped = false;

  /** @param only try no other language than this one */
  constructor(only?: string) {
    if (only !== undefined) this.#languages = this.#languages.filter(({ name }) => name === only);
  }

  readonly map: MapPort = async ({ signal, ...request }) => {
    const network = hostAddresses(false).join(' ');
    if (this.#failed?.network === network && performance.now() < this.#failed.untilMs)
      throw new Error(this.#failed.why);
    const gateway = await defaultGateway();
    const problems: string[] = [];
    for (const language of [...this.#languages]) {
      signal.throwIfAborted();
      try {
        return await this.#adopt(await language.ask(request, gateway, signal), language, signal);
      } catch (error) {
        problems.push(`${language.name}: ${errorMessage(error)}`);
      }
    }
    signal.throwIfAborted();
    const why = `no gateway maps ports here (${problems.join('; ')})`;
    this.#failed = { network, why, untilMs: performance.now() + TRY_AGAIN_AFTER_MS };
    throw new Error(why);
  };

  /** Gives everything back, within little more than a second. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(Array.from(this.#mapped, (mapped) => mapped.release()));
    await this.#library.stop();
  }

  async #adopt(lease: Lease, language: Language, signal: AbortSignal): Promise<MappedPort> {
    const mapped = new MappedPort(lease, language.name, () => this.#mapped.delete(mapped));
    this.#mapped.add(mapped);
    // A gateway without a connection of its own says 0.0.0.0.
    const isUseless = !isUsable(lease.external.address, false) || lease.external.port === 0;
    if (!isUseless && !signal.aborted && !this.#stopped) {
      this.#languages = [language, ...this.#languages.filter((other) => other !== language)];
      return mapped;
    }
    await mapped.release();
    throw new Error('the gateway has no connection of its own');
  }
}

function within(ms: number, ask: AskForLease): AskForLease {
  return (request, gateway, signal) => withDeadline(ms, signal, (until) => ask(request, gateway, until));
}
