import type { TLSSocket } from 'node:tls';
import { tlsClient, tlsServer } from '../../src/protocol/tls.js';
import { newPair } from './credentials.js';
import { socketPair } from './streams.js';

const { small, great } = newPair();
const never = new AbortController().signal;

/** Two ends of TLS over one TCP connection: the client's and the server's. Closed after the test. */
export async function tlsPair(): Promise<[TLSSocket, TLSSocket]> {
  const [dialled, accepted] = await socketPair();
  return await Promise.all([tlsClient(dialled, small, () => {}, never), tlsServer(accepted, great, () => {}, never)]);
}
