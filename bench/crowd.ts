import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { type Identity, parsePrivatePem } from '../src/protocol/identity.js';
import { registerWith } from '../test/support/mediator-client.js';

/**
 * Many peers in one process, which stay until it is killed. `peers PORT COUNT KEYS…` registers each with the mediator and
 * prints how many were admitted a second; `bare PORT COUNT` only opens TLS. Then `peers` measures introductions of pairs.
 */
const AT_ONCE = 24;
const PAIRS = 20;
/** Right after an introduction a wish to meet is answered by it. */
const COALESCED_MS = 400;
const [job, port = '', count = '', ...keyFiles] = process.argv.slice(2);
const keys = keyFiles.map((file) => parsePrivatePem(readFileSync(file, 'utf8')));
const everyone: unknown[] = [];

await gather(job === 'bare' ? connectBare : (index) => registerIdle(keyAt(index)));
if (job === 'peers') console.log(`introductions ${(await introduceAll()).join(' ')}`);
setInterval(() => {}, 1e9);

async function gather(enter: (index: number) => Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  let next = 0;
  const work = async () => {
    while (next < Number(count)) {
      next += 1;
      everyone.push(await enter(next));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  console.log(`gathered ${Number(count) / ((performance.now() - startedAt) / 1000)} a second`);
}

/** Wants somebody who is not there. */
function registerIdle(me: Identity) {
  const nobody = Buffer.alloc(32);
  nobody.writeUInt32BE(everyone.length + 1, 0);
  nobody.writeDoubleBE(Math.random(), 8);
  return registerWith({ port: Number(port) }, me, nobody.toString('hex'));
}

function connectBare(): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const where = { port: Number(port), host: '127.0.0.1', minVersion: 'TLSv1.3' } as const;
    const socket = tls.connect({ ...where, rejectUnauthorized: false }, () => resolve(socket));
    socket.once('error', reject).resume();
  });
}

/** Milliseconds from a wish to meet until both have heard of each other. */
async function introduceAll(): Promise<number[]> {
  const samples: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const [one, other] = [keyAt(2 * pair), keyAt(2 * pair + 1)];
    const first = await registerWith({ port: Number(port) }, one, other.id);
    const second = await registerWith({ port: Number(port) }, other, one.id);
    await Promise.all([first.settle(), second.settle()]);
    await sleep(COALESCED_MS);
    const askedAt = performance.now();
    first.send({ kind: 'meet' });
    await Promise.all([first.take('introduction'), second.take('introduction')]);
    samples.push(performance.now() - askedAt);
    everyone.push(first, second);
  }
  return samples;
}

function keyAt(index: number): Identity {
  const key = keys[index % keys.length];
  if (!key) throw new Error('no keys');
  return key;
}
