import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { MAX_FRAME_MEDIATOR } from '../../../src/protocol/constants.js';
import { FramedStream } from '../../../src/protocol/framed-stream.js';
import type { MediatorMessage } from '../../../src/protocol/messages.js';
import { tlsServerForAnyone } from '../../../src/protocol/tls.js';
import { mediatorCodec } from '../../../src/protocol/wire.js';
import { credentialsOf } from '../../support/credentials.js';
import { newIdentity } from '../../support/keys.js';
import { closed } from '../../support/streams.js';

const credentials = credentialsOf(newIdentity());
const never = new AbortController().signal;

/** A mediator that knows nobody, and says what a test wants. */
export class HandDrivenMediator {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  /** How many have connected. */
  visits = 0;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /** @param serve one peer, after TLS; its failures are the peer's doing */
  static async start(serve: (stream: FramedStream<MediatorMessage>) => Promise<unknown>): Promise<HandDrivenMediator> {
    const server = net.createServer({ noDelay: true });
    const mediator = new HandDrivenMediator(server);
    server.on('connection', (socket) => {
      mediator.visits += 1;
      mediator.#sockets.add(socket);
      socket.on('error', () => {});
      tlsServerForAnyone(socket, credentials, never)
        .then((secured) => serve(new FramedStream(secured, mediatorCodec, MAX_FRAME_MEDIATOR)))
        .catch(() => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return mediator;
  }

  get id(): string {
    return credentials.identity.id;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves when nobody is connected any more. */
  async empty(): Promise<void> {
    await Promise.all([...this.#sockets].map(closed));
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** The first handshake with whoever it is. */
export async function admit(stream: FramedStream<MediatorMessage>): Promise<void> {
  await stream.next(never);
  stream.send({ kind: 'challenge', nonce: randomBytes(32) });
  await stream.next(never);
  stream.send({ kind: 'admitted', reflexive: { address: '127.0.0.1', port: 1 }, nowMs: 7, followsSuccessions: false });
}
