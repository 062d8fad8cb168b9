import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import type net from 'node:net';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';

/**
 * What node:tls does with nothing around it. `receive FILE KEY CERT` listens, prints its port and takes one stream;
 * `send FILE PORT BYTES` sends one. With `-` for FILE the bytes come from memory, and go nowhere.
 */
const CIPHER = { ciphers: 'TLS_AES_128_GCM_SHA256', minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;
const READ_BYTES = 256 * 1024;
const [job, file = '', first = '', second = ''] = process.argv.slice(2);

if (job === 'receive') receive(first, second);
else await send(Number(first), Number(second));

function receive(key: string, cert: string): void {
  const options = { key: readFileSync(key), cert: readFileSync(cert), ...CIPHER };
  const server = tls.createServer(options, async (socket) => {
    server.close();
    await pipeline(socket, file === '-' ? nowhere() : createWriteStream(file));
  });
  server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as net.AddressInfo).port}`));
}

async function send(port: number, bytes: number): Promise<void> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...CIPHER });
  socket.resume();
  await pipeline(file === '-' ? memory(bytes) : createReadStream(file, { highWaterMark: READ_BYTES }), socket);
}

async function* memory(bytes: number): AsyncGenerator<Buffer> {
  const piece = Buffer.alloc(READ_BYTES, 7);
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

function nowhere(): Writable {
  return new Writable({ write: (_bytes, _encoding, done) => done() });
}
