import dgram from 'node:dgram';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { Library } from '../../../../src/peer/paths/port-mapping/library.js';

/** No other test's gateway. */
const GATEWAY = '127.0.53.52';

/** Answers each request of NAT-PMP (RFC 6886, sections 3.2 and 3.3) at once, and grants what is asked. */
async function openGateway(): Promise<void> {
  const gateway = dgram.createSocket('udp4').bind(5351, GATEWAY);
  onTestFinished(() => void gateway.close());
  await once(gateway, 'listening');
  gateway.on('message', (request, { port, address }) => {
    const isForAddress = request.readUInt8(1) === 0;
    const answer = Buffer.alloc(isForAddress ? 12 : 16);
    answer.writeUInt8(128 + request.readUInt8(1), 1);
    if (isForAddress) Buffer.from([20, 0, 1, 2]).copy(answer, 8);
    else request.copy(answer, 8, 4, 12);
    gateway.send(answer, port, address);
  });
}

it('counts a gateway’s time from when its thread is there, however long that took to start', async () => {
  await openGateway();
  const library = new Library();
  onTestFinished(() => library.stop());
  const request = { transport: 'tcp', internalPort: 4000 } as const;
  const asking = library.askBy('NAT-PMP', 500)(request, GATEWAY, new AbortController().signal);
  // So busy is a slow machine when a program starts.
  for (const until = performance.now() + 700; performance.now() < until; );
  expect((await asking).external).toEqual({ address: '20.0.1.2', port: 4000 });
});
