import { getEventListeners, once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dial } from '../../src/peer/dial.js';
import { openSockets } from '../support/streams.js';

const never = new AbortController().signal;

async function listening(): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

let before = 0;
beforeEach(() => {
  before = openSockets();
});
afterEach(async () => {
  await expect.poll(openSockets).toBe(before);
});

describe('dial', () => {
  it('connects, and keeps no hold of the socket', async () => {
    const { server, port } = await listening();
    const aborting = new AbortController();
    const socket = await dial({ host: '127.0.0.1', port }, 1_000, aborting.signal);
    expect(getEventListeners(aborting.signal, 'abort')).toEqual([]);
    aborting.abort();
    expect(socket.destroyed).toBe(false);
    expect(socket.listenerCount('error')).toBe(0);
    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('rejects with the system’s error where nobody listens, and leaves no socket', async () => {
    const { server, port } = await listening();
    server.close();
    await once(server, 'close');
    await expect(dial({ host: '127.0.0.1', port }, 1_000, never)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('gives up with the signal’s reason, before and during the connecting, and leaves no socket', async () => {
    const { server, port } = await listening();
    const aborting = new AbortController();
    const dialling = dial({ host: '127.0.0.1', port }, 1_000, aborting.signal);
    aborting.abort(new Error('enough'));
    await expect(dialling).rejects.toThrow('enough');
    await expect(dial({ host: '127.0.0.1', port }, 1_000, aborting.signal)).rejects.toThrow('enough');
    server.close();
  });
});
