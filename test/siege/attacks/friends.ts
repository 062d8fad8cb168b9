import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import type net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFrame } from '../../../src/protocol/frames.js';
import type { Identity } from '../../../src/protocol/identity.js';
import { mediatorCodec } from '../../../src/protocol/wire.js';
import { publicKeyOf } from '../../support/keys.js';
import { type MediatorClient, openRelay, registerWith, type Where } from '../../support/mediator-client.js';
import { type Attack, besiege, fromOne, type Tally, type Target } from '../attack.js';

/** Attacks by those whom the mediator admits, and what its operator may do to it. */

const MIB = 1024 * 1024;

/** Pairs that carry as much over the relay as it takes, both ways. */
export function relayHogs(name: string, short = false): Attack {
  return {
    name,
    short,
    run: async (target, tally, signal) => {
      const where = fromOne(target);
      for (const [one, other] of pairs(target)) {
        const ends = await relayOf(where, one, other);
        for (const end of ends) pump(end, tally, signal);
        for (const end of ends) end.resume();
      }
      await aborted(signal);
    },
  };
}

/** A friend who asks without end and reads nothing, in many conversations at once; and one end of a relay likewise. */
export function deafFriends(name: string, short = false): Attack {
  return {
    name,
    short,
    run: async (target, tally, signal) => {
      const where = fromOne(target);
      const [one, other, deaf] = target.friends;
      if (!one || !other || !deaf) throw new Error('too few friends');
      const [end, unread] = await relayOf(where, one, other);
      unread.pause();
      pump(end, tally, signal);
      await besiege(200, signal, async () => {
        const client = await registerWith(where, deaf, randomBytes(32).toString('hex'));
        client.secured.pause();
        tally.done += 1;
        const gone = once(client.secured, 'close');
        while (!client.secured.destroyed && !signal.aborted) {
          client.secured.write(encodeFrame(1, mediatorCodec.encode({ kind: 'ping', nonce: 7 })));
          client.secured.write(encodeFrame(1, mediatorCodec.encode({ kind: 'wantProbes' })));
          await Promise.race([sleep(250), gone]);
        }
        if (client.secured.destroyed) tally.dropped += 1;
        client.destroy();
      });
    },
  };
}

/** A friend who registers over and over, each time in its own place. */
export function restlessFriends(name: string): Attack {
  return {
    name,
    short: false,
    run: (target, tally, signal) =>
      besiege(32, signal, async (number) => {
        const me = target.friends[number % target.friends.length];
        if (!me) return;
        const client = await registerWith(fromOne(target), me, 'f'.repeat(64));
        tally.done += 1;
        client.destroy();
      }),
  };
}

/** The operator puts friends into the directory, a thousand a second, and takes them out again. */
export function growingDirectory(name: string, short = false): Attack {
  return {
    name,
    short,
    run: async ({ certs }, tally, signal) => {
      const files: string[] = [];
      while (!signal.aborted && files.length < 5_000) {
        for (let count = 0; count < 50; count++) {
          const file = join(certs, `friend-${files.length}.pem`);
          files.push(file);
          await writeFile(file, somebodysKey());
          tally.done += 1;
        }
        await sleep(50);
      }
      await aborted(signal);
      for (const file of files) await rm(file, { force: true });
    },
  };
}

function pairs({ friends }: Target): [Identity, Identity][] {
  return friends.flatMap((one, index) => {
    const other = friends[index + 1];
    return index % 2 === 0 && other ? [[one, other] as [Identity, Identity]] : [];
  });
}

async function relayOf(where: Where, one: Identity, other: Identity): Promise<[net.Socket, net.Socket]> {
  const clients: MediatorClient[] = [];
  for (const [me, wanted] of [
    [one, other],
    [other, one],
  ] as const)
    clients.push(await registerWith(where, me, wanted.id));
  const [, second] = clients;
  if (!second) throw new Error('no second');
  return openRelay(where, await second.take('introduction'));
}

function pump(end: net.Socket, tally: Tally, signal: AbortSignal): void {
  const chunk = Buffer.alloc(64 * 1024);
  const write = () => {
    while (!signal.aborted && !end.destroyed) {
      tally.done += chunk.length / MIB;
      if (!end.write(chunk)) break;
    }
  };
  end.on('drain', write).on('close', () => {
    if (!signal.aborted) tally.dropped += 1;
  });
  write();
}

/** A public key whose private half nobody has: made in no time. */
function somebodysKey(): string {
  const modulus = randomBytes(256);
  modulus[0] = (modulus[0] ?? 0) | 0x80;
  modulus[255] = (modulus[255] ?? 0) | 1;
  return publicKeyOf(modulus, 65537).export({ type: 'spki', format: 'pem' }).toString();
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
