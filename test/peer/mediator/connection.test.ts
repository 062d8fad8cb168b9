import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { connectToMediator, RefusedError } from '../../../src/peer/mediator/connection.js';
import type { Judge } from '../../../src/peer/mediator/judge.js';
import { reasonOf } from '../../../src/peer/mediator/mediation.js';
import { ProtocolError } from '../../../src/protocol/errors.js';
import type { MediatorMessage } from '../../../src/protocol/messages.js';
import { identity, startMediator } from '../../server/fixture.js';
import { openSockets } from '../../support/streams.js';
import { HandDrivenMediator } from './hand-driven-mediator.js';

const me = identity(0);
const peer = identity(1);
const never = new AbortController().signal;
const anyone: Judge = () => undefined;

let mediators: HandDrivenMediator[] = [];
afterEach(() => {
  for (const mediator of mediators) mediator.stop();
  mediators = [];
});

async function handDriven(...args: Parameters<typeof HandDrivenMediator.start>): Promise<HandDrivenMediator> {
  const mediator = await HandDrivenMediator.start(...args);
  mediators.push(mediator);
  return mediator;
}

function connect(port: number, judge: Judge = anyone, signal = never) {
  return connectToMediator('127.0.0.1', port, me, peer.id, judge, signal);
}

describe('connectToMediator', () => {
  it('is admitted by a mediator that knows the key, and comes from the port that it says', async () => {
    const { port, id } = await startMediator([me]);
    let shown = '';
    const connection = await connect(port, ({ id }) => {
      shown = id;
      return undefined;
    });
    expect(shown).toBe(id);
    expect(connection.local).toEqual({ address: '127.0.0.1', port: expect.any(Number) });
    expect(connection.remote).toEqual({ address: '127.0.0.1', port });
    expect(connection.addresses).toEqual(['127.0.0.1']);
    expect(await connection.stream.next(never)).toEqual({ kind: 'waiting' });
    connection.stream.destroy(new Error('done'));
  });

  it('compares clocks to half a round trip', async () => {
    const { port } = await startMediator([me]);
    const { stream, clock } = await connect(port);
    expect(clock.giveOrTakeMs).toBeGreaterThanOrEqual(0);
    // It is the same clock, read in whole milliseconds.
    expect(Math.abs(clock.aheadMs)).toBeLessThanOrEqual(clock.giveOrTakeMs + 1);
    stream.destroy(new Error('done'));
  });

  it('comes from a port that can be dialled from again, as punching needs', async () => {
    const { port } = await startMediator([me]);
    const { stream, local } = await connect(port);
    const elsewhere = net.createServer().listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    const second = net.connect({
      port: (elsewhere.address() as AddressInfo).port,
      host: '127.0.0.1',
      localAddress: '0.0.0.0',
      localPort: local.port,
    });
    onTestFinished(() => {
      second.destroy();
      elsewhere.close();
      stream.destroy(new Error('done'));
    });
    await once(second, 'connect');
    expect(second.localPort).toBe(local.port);
  });

  it('is refused by a mediator that does not know the key', async () => {
    const { port } = await startMediator([peer]);
    await expect(connect(port)).rejects.toBeInstanceOf(RefusedError);
  });

  it('says nothing to a mediator whose key is refused', async () => {
    const heard: MediatorMessage[] = [];
    const mediator = await handDriven(async (stream) => heard.push(await stream.next(never)));
    const refuse = () => {
      throw new Error('another key than before');
    };
    await expect(connect(mediator.port, refuse)).rejects.toThrow('another key than before');
    await mediator.empty();
    expect(heard).toEqual([]);
  });

  const nonsense: MediatorMessage[] = [
    { kind: 'waiting' },
    { kind: 'admitted', reflexive: { address: '127.0.0.1', port: 1 }, nowMs: 7, followsSuccessions: false },
    { kind: 'pong', nonce: 1 },
  ];

  it.each(nonsense)('takes no $kind for a challenge', async (message) => {
    const { port } = await handDriven(async (stream) => stream.send(message));
    await expect(connect(port)).rejects.toBeInstanceOf(ProtocolError);
  });

  it('remembers the key of one that speaks as a mediator does, and not that of another TLS server', async () => {
    const remember = vi.fn();
    const web = await handDriven(async (stream) => stream.destroy(new Error('what is this?')));
    await expect(connect(web.port, () => remember)).rejects.toThrow();
    const stranger = await handDriven(async (stream) => stream.send({ kind: 'waiting' }));
    const failure = await connect(stranger.port, () => remember).catch((error) => error);
    expect(reasonOf(failure)).toBe('what answers there is not a mediator (waiting instead of a challenge)');
    expect(remember).not.toHaveBeenCalled();
    const { port } = await startMediator([me]);
    const { stream } = await connect(port, () => remember);
    expect(remember).toHaveBeenCalledOnce();
    stream.destroy(new Error('done'));
  });

  it('takes no other message for a verdict', async () => {
    const { port } = await handDriven(async (stream) => {
      stream.send({ kind: 'challenge', nonce: Buffer.alloc(32) });
      stream.send({ kind: 'waiting' });
    });
    await expect(connect(port)).rejects.toBeInstanceOf(ProtocolError);
  });

  it('fails where nobody listens, and where nobody speaks TLS', async () => {
    const server = net.createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(reasonOf(await connect(port).catch((error) => error))).toBe(
      'what answers there does not speak TLS as a mediator does',
    );
    server.close();
    await once(server, 'close');
    await expect(connect(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('leaves no socket when it is told to stop, at whatever moment', async () => {
    await expect.poll(openSockets).toBe(0);
    for (let turns = 0; turns < 30; turns += 2) {
      const mediator = await handDriven(async (stream) => {
        stream.send({ kind: 'challenge', nonce: Buffer.alloc(32) });
        await stream.next(never);
      });
      const stopping = new AbortController();
      const connecting = connect(mediator.port, anyone, stopping.signal);
      connecting.catch(() => {});
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      stopping.abort(new Error('enough'));
      await expect(connecting).rejects.toThrow('enough');
      mediator.stop();
      await expect.poll(openSockets).toBe(0);
    }
  });
});
