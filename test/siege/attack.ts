import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Identity } from '../../src/protocol/identity.js';
import type { Where } from '../support/mediator-client.js';

/** What is attacked, and with what: everything on this machine's loopback. */
export interface Target {
  port: number;
  udpPorts: number[];
  /** The folder whose keys the mediator admits. */
  certs: string;
  /** People whom the mediator admits, and who mean it harm. */
  friends: Identity[];
  /** Whom nobody admits. */
  stranger: Identity;
}

/** What an attacker has done, and what became of it. */
export class Tally {
  /** Connections opened, packets or mebibytes sent, files written. */
  done = 0;
  /** Of them, those that the mediator ended, refused or did not answer. */
  dropped = 0;
}

export interface Attack {
  name: string;
  /** Runs in the short siege too. */
  short: boolean;
  /** Attacks until the signal. */
  run(target: Target, tally: Tally, signal: AbortSignal): Promise<void>;
}

/** No attack opens more connections than this, however long it runs. */
const MAX_TOTAL = 400_000;

/** Does `act` over and over in so many places at once, whatever it throws. Each is handed a number of its own. */
export async function besiege(
  places: number,
  signal: AbortSignal,
  act: (number: number) => Promise<unknown>,
): Promise<void> {
  setMaxListeners(0, signal);
  let next = 0;
  const worker = async () => {
    while (!signal.aborted && next < MAX_TOTAL) {
      next += 1;
      await act(next).catch(() => {});
      // A refused connection must not become a loop that never lets go.
      await sleep(1);
    }
  };
  await Promise.all(Array.from({ length: places }, worker));
}

/** One IPv4 address of loopback that is not the honest peers'. */
export function fromOne({ port }: Target): Where {
  return { port, localAddress: '127.66.6.6' };
}

/** Another one each time, of 127.64.0.0/10: sixteen million would be no different. */
export function fromMany({ port }: Target, number: number): Where {
  return { port, localAddress: `127.${64 + (number & 63)}.${(number >> 6) & 255}.${1 + ((number >> 14) & 127)}` };
}

export function fromIpv6({ port }: Target): Where {
  return { port, host: '::1' };
}

/** The address that the honest peers come from too, as behind one NAT. */
export function fromTheirs({ port }: Target): Where {
  return { port, localAddress: '127.0.0.1' };
}

export type From = (target: Target, number: number) => Where;
