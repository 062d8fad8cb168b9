import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

/**
 * A wire in front of the mediator, which a test can watch and hold. Peers that may use only the relay say everything
 * over it. What is counted is what peers send; the same bytes on their way out to the other peer are not.
 */
export class Wire {
  readonly #server = net.createServer((socket) => this.#connect(socket));
  readonly #sockets = new Set<net.Socket>();
  #target = 0;
  #passed = 0;
  #limit = Number.POSITIVE_INFINITY;
  #full: () => void = () => {};

  /** @param target the mediator's port on 127.0.0.1 */
  static async open(target: number): Promise<Wire> {
    const wire = new Wire();
    wire.#target = target;
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes that peers have sent over it. */
  get passed(): number {
    return this.#passed;
  }

  /** Lets about this many bytes more through and then none, in either direction. Resolves when that point is reached. */
  holdAfter(bytes: number): Promise<void> {
    this.#limit = this.#passed + bytes;
    this.#resume();
    return new Promise((resolve) => {
      this.#full = resolve;
    });
  }

  release(): void {
    this.#limit = Number.POSITIVE_INFINITY;
    this.#resume();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(inner: net.Socket): void {
    const outer = net.connect({ host: '127.0.0.1', port: this.#target, noDelay: true });
    inner.setNoDelay(true);
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (bytes) => {
        if (from === inner) this.#passed += bytes.length;
        if (!to.write(bytes)) from.pause();
        if (this.#isHeld) this.#hold();
      });
      to.on('drain', () => {
        if (!this.#isHeld) from.resume();
      });
      from.on('end', () => to.end());
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    if (this.#isHeld) this.#hold();
  }

  get #isHeld(): boolean {
    return this.#passed >= this.#limit;
  }

  #hold(): void {
    for (const socket of this.#sockets) socket.pause();
    this.#full();
  }

  #resume(): void {
    for (const socket of this.#sockets) socket.resume();
  }
}
