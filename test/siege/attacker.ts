import os from 'node:os';
import { parsePrivatePem } from '../../src/protocol/identity.js';
import { Tally } from './attack.js';
import { ATTACKS } from './attacks/index.js';

/** A process of its own, which attacks as it is told and ends when its parent says so, or is gone. */

export interface Orders {
  attack: string;
  port: number;
  udpPorts: number[];
  certs: string;
  /** PEM. */
  friends: string[];
  stranger: string;
}

const BEHIND = 10;

/** In life the attacker has a machine of its own: here it takes what the mediator and the peers leave of this one. */
os.setPriority(Math.min(os.constants.priority.PRIORITY_LOW, os.getPriority() + BEHIND));

process.once('message', (orders: Orders) => {
  const attack = ATTACKS.find(({ name }) => name === orders.attack);
  if (!attack) throw new Error(`no such attack: ${orders.attack}`);
  const tally = new Tally();
  const stopping = new AbortController();
  const begun = setInterval(() => {
    if (tally.done === 0) return;
    clearInterval(begun);
    process.send?.('begun');
  }, 20);
  const stop = async () => {
    stopping.abort();
    await running;
    process.send?.(tally, () => process.exit());
  };
  process.once('message', stop);
  process.once('disconnect', () => process.exit());
  const target = {
    ...orders,
    friends: orders.friends.map((pem) => parsePrivatePem(pem)),
    stranger: parsePrivatePem(orders.stranger),
  };
  const running = attack.run(target, tally, stopping.signal).catch((error) => {
    if (!stopping.signal.aborted) process.stderr.write(`${attack.name}: ${error.stack}\n`);
  });
});
