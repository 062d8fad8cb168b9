import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './net.js';

const LOOK_EVERY_MS = 5;
const LONGEST_LOOK_MS = 20_000;

/** Firewall rules on a's gateway between the two peers; what goes to the mediator passes. */
export function directPath(lab: Lab): { cut(): void; mend(): void } {
  return {
    cut: () => lab.nft('ga1', CUT),
    mend: () => lab.nft('ga1', 'delete table ip cut'),
  };
}

/** Lets nothing of a's out to b, until some time after b's first packet to a has come. */
export class Gate {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
    directPath(lab).cut();
    lab.nft('ga1', COUNT);
  }

  /** False if there was no packet. */
  async openAfterFirstPacket(ms: number): Promise<boolean> {
    for (const giveUpAt = performance.now() + LONGEST_LOOK_MS; performance.now() < giveUpAt; ) {
      if (!/packets 0/.test(this.#lab.run('ga1', 'nft', ['list', 'table', 'ip', 'count']))) {
        await sleep(ms);
        directPath(this.#lab).mend();
        return true;
      }
      await sleep(LOOK_EVERY_MS);
    }
    return false;
  }
}

const CUT = `table ip cut {
  chain forward {
    type filter hook forward priority 5;
    ip daddr 203.0.113.0/24 drop
    ip saddr 203.0.113.0/24 drop
  }
}`;

const COUNT = `table ip count {
  chain prerouting {
    type filter hook prerouting priority -300;
    iifname "wan" ip saddr 203.0.113.0/24 counter
  }
}`;
