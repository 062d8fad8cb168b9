import type { Socket } from 'node:net';

/**
 * One direction of a relay. It holds no more than the socket's own read buffer, and takes nothing from it until the
 * other side has taken what it was given. A half-close is passed on; the failure of one end is the end of both.
 */
export class Lane {
  readonly #from: Socket;
  readonly #to: Socket;

  /** @param onReady there is something to take, and room for it */
  constructor(from: Socket, to: Socket, onReady: (lane: Lane) => void) {
    this.#from = from;
    this.#to = to;
    const look = () => {
      if (!to.writableNeedDrain) onReady(this);
    };
    from.on('readable', look);
    to.on('drain', look);
    from.on('end', () => to.end());
    from.on('close', () => {
      if (!from.readableEnded || !from.writableFinished) to.destroy();
    });
    // Of what came before, nobody will tell.
    look();
  }

  /** Bytes that can be taken now. */
  get waiting(): number {
    return this.#to.writableNeedDrain || this.#to.destroyed ? 0 : this.#from.readableLength;
  }

  /** @param bytes at most what is `waiting` */
  move(bytes: number): void {
    const chunk: Buffer | null = bytes < this.#from.readableLength ? this.#from.read(bytes) : this.#from.read();
    if (chunk) this.#to.write(chunk);
  }

  /** A stream notices that it has ended only when it is read. */
  noticeEnd(): void {
    if (this.#from.readableLength === 0) this.#from.read();
  }

  cut(): void {
    this.#from.destroy();
    this.#to.destroy();
  }
}
