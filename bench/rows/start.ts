import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { House } from '../house.js';
import type { Report } from '../report.js';
import type { Effort, Row } from '../row.js';

/** From `p2p` typed until its session is up, with the other side and the mediator already there. */
export const start: Row = {
  name: 'start',
  async measure({ runs }: Effort): Promise<Report> {
    const house = await new House().open();
    const door = await openDoor(house.port);
    const typed: number[] = [];
    const heard: number[] = [];
    const bob = house.talk('bob');
    try {
      // The first meeting also makes both journals, and pins the mediator.
      for (let run = 0; run <= runs * 2; run++) {
        await bob.event(({ event }) => event === 'waiting');
        await sleep(300);
        const startedAt = performance.now();
        door.firstByteAt = null;
        const alice = house.talkThrough('alice', door.port);
        await alice.event(({ event }) => event === 'connected');
        const connectedAt = performance.now();
        if (run > 0) {
          typed.push(connectedAt - startedAt);
          heard.push(connectedAt - (door.firstByteAt ?? Number.NaN));
        }
        await alice.stop();
      }
    } finally {
      await bob.stop();
      door.close();
      await house.close();
    }
    const unit = { name: 'ms', better: 'less' } as const;
    return {
      row: this.name,
      lines: [
        { what: '`p2p` typed to session up', unit, ours: typed, reference: null, goals: [{ of: 'ours', atMost: 250 }] },
        {
          what: 'of which after the first byte to the mediator',
          unit,
          ours: heard,
          reference: null,
          goals: [{ of: 'ours', atMost: 60 }],
        },
      ],
      missing: [],
    };
  },
};

interface Door {
  port: number;
  /** When somebody last said a first word. */
  firstByteAt: number | null;
  close(): void;
}

/** A way to the mediator that notices when the first byte goes there. */
async function openDoor(mediatorPort: number): Promise<Door> {
  const server = net.createServer({ noDelay: true }, (inner) => {
    const outer = net.connect({ port: mediatorPort, host: '127.0.0.1', noDelay: true });
    inner.once('data', () => {
      door.firstByteAt ??= performance.now();
    });
    inner.pipe(outer).pipe(inner);
    inner.on('error', () => outer.destroy());
    outer.on('error', () => inner.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const door: Door = {
    port: (server.address() as net.AddressInfo).port,
    firstByteAt: null,
    close: () => server.close(),
  };
  return door;
}
