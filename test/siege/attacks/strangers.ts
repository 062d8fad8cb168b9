import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { tlsClient } from '../../../src/protocol/tls.js';
import { handshake, secure, type Where } from '../../support/mediator-client.js';
import { type Attack, besiege, type From, type Tally } from '../attack.js';

/** Attacks by those who have no key that the mediator admits. */

/** Connected, and nothing else, for as long as they are let. */
export function silence(name: string, from: From, places: number, short = false): Attack {
  return {
    name,
    short,
    run: (target, tally, signal) =>
      besiege(places, signal, (number) =>
        visit(from(target, number), tally, signal, async (socket) => {
          await ended(socket, signal);
          if (!signal.aborted) tally.dropped += 1;
        }),
      ),
  };
}

/** A TLS handshake that comes one byte at a time. */
export function drip(name: string, from: From, places: number): Attack {
  return {
    name,
    short: false,
    run: async (target, tally, signal) => {
      const hello = await clientHello();
      await besiege(places, signal, (number) =>
        visit(from(target, number), tally, signal, async (socket) => {
          for (const byte of hello) {
            if (socket.destroyed || signal.aborted) break;
            socket.write(Buffer.of(byte));
            await sleep(100);
          }
          if (!signal.aborted) tally.dropped += 1;
        }),
      );
    },
  };
}

/** A whole ClientHello, which costs the mediator a signature and its sender nothing; the answer is waited for, or not. */
export function hellos(name: string, from: From, places: number, { holds = false, short = false } = {}): Attack {
  return {
    name,
    short,
    run: async (target, tally, signal) => {
      const hello = await clientHello();
      await besiege(places, signal, (number) =>
        visit(from(target, number), tally, signal, async (socket) => {
          socket.write(hello);
          if (!(await answered(socket, signal))) tally.dropped += 1;
          else if (holds) await ended(socket, signal);
        }),
      );
    },
  };
}

/** Connect, reset, connect. */
export function connections(name: string, from: From, places: number, short = false): Attack {
  return {
    name,
    short,
    run: (target, tally, signal) =>
      besiege(places, signal, (number) => visit(from(target, number), tally, signal, async () => {})),
  };
}

/** Inside TLS the header of a frame of 4 GiB, and data behind it. */
export function oversize(name: string, from: From, places: number, short = false): Attack {
  const header = Buffer.from([1, 0xff, 0xff, 0xff, 0xff]);
  return {
    name,
    short,
    run: (target, tally, signal) =>
      besiege(places, signal, (number) =>
        visit(from(target, number), tally, signal, async (socket) => {
          const { secured } = await secure(socket);
          secured.write(header);
          while (!secured.destroyed && secured.write(Buffer.alloc(64 * 1024))) await sleep(0);
          await ended(socket, signal);
          tally.dropped += 1;
        }),
      ),
  };
}

/** The whole first handshake, signed by a key that nobody admits: in its own name, and in a friend's. */
export function wrongKeys(name: string, from: From, places: number, short = false): Attack {
  return {
    name,
    short,
    run: (target, tally, signal) =>
      besiege(places, signal, (number) =>
        visit(from(target, number), tally, signal, async (socket) => {
          const { stranger, friends } = target;
          const claimed = number % 2 === 0 ? stranger : (friends[0] ?? stranger);
          const verdict = await handshake(await secure(socket), { ...stranger, id: claimed.id }, 'f'.repeat(64));
          if (verdict.kind === 'refused') tally.dropped += 1;
        }),
      ),
  };
}

async function visit(where: Where, tally: Tally, signal: AbortSignal, act: (socket: net.Socket) => Promise<void>) {
  const socket = net.connect({ host: '127.0.0.1', noDelay: true, ...where });
  socket.on('error', () => {});
  const leave = () => socket.resetAndDestroy();
  signal.addEventListener('abort', leave, { once: true });
  try {
    await once(socket, 'connect', { signal });
    tally.done += 1;
    await act(socket);
  } finally {
    signal.removeEventListener('abort', leave);
    // Reset: thousands of ports in TIME_WAIT would end the attack, not the mediator.
    socket.resetAndDestroy();
  }
}

async function ended(socket: net.Socket, signal: AbortSignal): Promise<void> {
  socket.resume();
  if (!socket.destroyed) await once(socket, 'close', { signal }).catch(() => {});
}

async function answered(socket: net.Socket, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('close', () => resolve(false));
    signal.addEventListener('abort', () => resolve(true), { once: true });
  });
}

/** What a TLS client says first. */
async function clientHello(): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const wire = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    tlsClient(wire, null, () => {}, AbortSignal.timeout(1_000)).catch(reject);
  });
}
