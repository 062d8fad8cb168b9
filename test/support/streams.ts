import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';

/** Two ends of one TCP connection over loopback: the one that dialled, and the one that accepted. Closed after the test. */
export async function socketPair(): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const dialled = net.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const [[other]] = await Promise.all([accepted, once(dialled, 'connect')]);
  server.close();
  for (const socket of [dialled, other]) {
    socket.on('error', () => {});
    onTestFinished(() => {
      socket.destroy();
    });
  }
  return [dialled, other];
}

/** The same stream, but every byte comes by itself, in a turn of the event loop of its own. */
export function byteByByte(inner: Duplex): Duplex {
  const waiting: Buffer[] = [];
  let ended = false;
  let timer: NodeJS.Immediate | undefined;
  const deliver = () => {
    timer = undefined;
    const chunk = waiting[0];
    if (chunk) {
      if (chunk.length === 1) waiting.shift();
      else waiting[0] = chunk.subarray(1);
      if (outer.push(Buffer.of(chunk.readUInt8(0)))) schedule();
    } else if (ended) outer.push(null);
  };
  const schedule = () => {
    timer ??= setImmediate(deliver);
  };
  const outer = new Duplex({
    allowHalfOpen: false,
    read: schedule,
    write: (chunk: Buffer, _encoding, done) => {
      for (const byte of chunk.subarray(0, -1)) inner.write(Buffer.of(byte));
      inner.write(chunk.subarray(-1), done);
    },
    final: (done) => void inner.end(done),
    destroy: (error, done) => {
      clearImmediate(timer);
      inner.destroy();
      done(error);
    },
  });
  inner.on('data', (chunk: Buffer) => {
    waiting.push(chunk);
    schedule();
  });
  inner.on('end', () => {
    ended = true;
    schedule();
  });
  inner.on('error', (error) => outer.destroy(error));
  inner.on('close', () => {
    // What had arrived is still delivered; an end then follows.
    ended = true;
    schedule();
  });
  return outer;
}

/** Everything that comes until the stream ends or is closed. */
export async function readToEnd(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await closed(stream);
  return Buffer.concat(chunks);
}

/** Closed in whichever way: `once` of node:events would reject if an error came first. */
export async function closed(stream: Duplex): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
}

/** Sockets and servers that this process has open now. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP')).length;
}

/** The same stream, keeping a copy of everything that comes in over it. */
export function recorded(inner: Duplex): { stream: Duplex; received: () => Buffer } {
  const chunks: Buffer[] = [];
  const readable = new PassThrough();
  inner.on('data', (chunk: Buffer) => chunks.push(chunk));
  inner.pipe(readable);
  return { stream: Duplex.from({ readable, writable: inner }), received: () => Buffer.concat(chunks) };
}
