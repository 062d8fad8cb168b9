import dgram from 'node:dgram';

/** This machine's IPv4 address on the way to `remote`. Sends nothing. */
export function localAddressTowards(remote: string): Promise<string> {
  const socket = dgram.createSocket('udp4');
  return new Promise<string>((resolve, reject) => {
    socket.on('error', reject).on('connect', () => resolve(socket.address().address));
    socket.connect(9, remote);
  }).finally(() => socket.close());
}
