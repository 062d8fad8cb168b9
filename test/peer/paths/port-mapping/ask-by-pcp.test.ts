import dgram from 'node:dgram';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { askByPcp } from '../../../../src/peer/paths/port-mapping/ask-by-pcp.js';

/** No other test's gateway. */
const GATEWAY = '127.0.53.51';
/** In a MAP request (RFC 6887, sections 7.1 and 11.1). */
const LIFETIME_AT = 4;
const nonceAndPort = (request: Buffer | undefined) => request?.subarray(24, 42).toString('hex');

it('takes back what it no longer wants before the gateway has answered', async () => {
  const gateway = dgram.createSocket('udp4').bind(5351, GATEWAY);
  onTestFinished(() => void gateway.close());
  await once(gateway, 'listening');
  const abort = new AbortController();
  const asking = askByPcp({ transport: 'udp', internalPort: 4000 }, GATEWAY, abort.signal);
  const [asked]: Buffer[] = await once(gateway, 'message');
  abort.abort(new Error('the race is over'));
  await expect(asking).rejects.toThrow('the race is over');
  let last = asked;
  while (last && last.readUInt32BE(LIFETIME_AT) > 0) [last] = await once(gateway, 'message');
  expect(nonceAndPort(last)).toBe(nonceAndPort(asked));
});
