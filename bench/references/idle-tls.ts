import { readFileSync } from 'node:fs';
import type net from 'node:net';
import tls from 'node:tls';

/** A node:tls server that does nothing. `KEY CERT`; prints its port. */
const [key = '', cert = ''] = process.argv.slice(2);
const server = tls.createServer(
  { key: readFileSync(key), cert: readFileSync(cert), minVersion: 'TLSv1.3' },
  (socket) => {
    socket.on('error', () => {}).resume();
  },
);
server.listen({ port: 0, host: '127.0.0.1', backlog: 512 }, () => {
  console.log(`port ${(server.address() as net.AddressInfo).port}`);
});
