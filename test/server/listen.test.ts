import { once } from 'node:events';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { UserError } from '../../src/protocol/errors.js';
import { listenOn } from '../../src/server/listen.js';

function newServer(): net.Server {
  const server = net.createServer((socket) => socket.destroy());
  onTestFinished(() => {
    server.close();
  });
  return server;
}

test('port 0 is any free one, and is told', async () => {
  const bound = await listenOn(newServer(), { address: '127.0.0.1', port: 0 });
  expect(bound.address).toBe('127.0.0.1');
  expect(bound.port).toBeGreaterThan(1023);
});

test('every address is of IPv4 and IPv6', async () => {
  const { address, port } = await listenOn(newServer(), { address: '::', port: 0 });
  for (const host of address === '::' ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
    const socket = net.connect({ host, port });
    await once(socket, 'connect');
    socket.destroy();
  }
});

test.each(['EAFNOSUPPORT', 'EADDRNOTAVAIL'])('where there is no IPv6 (%s), every address is of IPv4', async (code) => {
  class WithoutIpv6 extends net.Server {
    override listen(...args: unknown[]): this {
      const [{ host }] = args as [{ host: string }];
      if (host !== '::') return super.listen(...(args as [net.ListenOptions]));
      process.nextTick(() => this.emit('error', Object.assign(new Error(code), { code })));
      return this;
    }
  }
  const server = new WithoutIpv6();
  onTestFinished(() => {
    server.close();
  });
  const { address, port } = await listenOn(server, { address: '::', port: 0 });
  expect(address).toBe('0.0.0.0');
  const socket = net.connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  socket.destroy();
});

test.each([
  ['in use', { address: '127.0.0.1' }, /port \d+ is already in use on 127\.0\.0\.1/, /--port PORT/],
  ['of another machine', { address: '203.0.113.9' }, /not an address of this machine/, /--host/],
])('an address that is %s is refused, with what to do', async (_, { address }, message, hint) => {
  const { port } = await listenOn(newServer(), { address: '127.0.0.1', port: 0 });
  const refused = await listenOn(newServer(), { address, port }).catch((error) => error);
  expect(refused).toBeInstanceOf(UserError);
  expect(refused).toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});
