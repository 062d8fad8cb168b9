import dgram from 'node:dgram';
import type { PortRequest } from './lease.js';

const PORT = 5351;
const BYTES = 12;
const OPCODES = { udp: 1, tcp: 2 } as const;

/** Asks the gateway to end a mapping that it may have made or be about to make (RFC 6886, section 3.4), and waits for no answer. */
export async function withdrawByNatPmp(gateway: string, { transport, internalPort }: PortRequest): Promise<void> {
  // All else is 0: the version, the external port, and the lifetime, which makes it an end.
  const packet = Buffer.alloc(BYTES);
  packet.writeUInt8(OPCODES[transport], 1);
  packet.writeUInt16BE(internalPort, 4);
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => {
    socket.on('error', () => resolve());
    socket.send(packet, PORT, gateway, () => resolve());
  });
  socket.close();
}
