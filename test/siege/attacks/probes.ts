import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { encodeProbe } from '../../../src/protocol/probe.js';
import { registerWith } from '../../support/mediator-client.js';
import type { Attack, Tally, Target } from '../attack.js';

/** Floods of UDP probes. */

const PACKETS_PER_TURN = 64;
const MAX_PACKETS = 5_000_000;

/** Made with keys that the mediator has never given to anybody. */
export function unknownProbes(name: string, short = false): Attack {
  return {
    name,
    short,
    run: (target, tally, signal) => {
      const packets = Array.from({ length: 64 }, () => probe(randomBytes(32)));
      return flood(target, tally, signal, (number) => packets[number & 63] ?? randomBytes(64));
    },
  };
}

/** One packet, made with a key that it did give, again and again. */
export function replayedProbes(name: string): Attack {
  return {
    name,
    short: false,
    run: async (target, tally, signal) => {
      const packet = probe(await givenKey(target));
      await flood(target, tally, signal, () => packet);
    },
  };
}

/** A new packet each time, all of them good. */
export function knownProbes(name: string): Attack {
  return {
    name,
    short: false,
    run: async (target, tally, signal) => {
      const key = await givenKey(target);
      await flood(target, tally, signal, () => probe(key));
    },
  };
}

function probe(key: Buffer): Buffer {
  return encodeProbe(key, { nonce: randomBytes(8), cookie: null });
}

async function givenKey({ port, friends }: Target): Promise<Buffer> {
  const [me] = friends;
  if (!me) throw new Error('no friend');
  const client = await registerWith({ port, localAddress: '127.66.6.6' }, me, 'f'.repeat(64));
  await client.take('waiting');
  client.send({ kind: 'wantProbes' });
  return (await client.take('probes')).probeKey;
}

async function flood(
  { udpPorts }: Target,
  tally: Tally,
  signal: AbortSignal,
  packet: (number: number) => Buffer,
): Promise<void> {
  const socket = dgram.createSocket('udp4');
  let answers = 0;
  socket
    .on('error', () => {})
    .on('message', () => {
      answers += 1;
      tally.dropped = tally.done - answers;
    });
  while (!signal.aborted && tally.done < MAX_PACKETS) {
    for (let number = 0; number < PACKETS_PER_TURN; number++) {
      socket.send(packet(number), udpPorts[number % udpPorts.length] ?? 0, '127.0.0.1', () => {});
      tally.done += 1;
    }
    tally.dropped = tally.done - answers;
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.close();
}
