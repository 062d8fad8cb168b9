import { createReadStream, createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { pipeline } from 'node:stream/promises';

/**
 * The encrypted stream of hyperdht, over a distributed hash table of its own on loopback. `LIBRARY receive FILE` prints
 * where it is; `LIBRARY send FILE ADDRESS` connects, then sends, and prints the time from there until the other has it all.
 */
interface Stream extends NodeJS.ReadWriteStream {
  opened: Promise<boolean>;
  end(): this;
}
interface Dht {
  createServer(onConnection: (stream: Stream) => void): { listen(keys: object): Promise<void>; publicKey: Buffer };
  connect(publicKey: Buffer): Stream;
}

const [library = '', job, file = '', address = ''] = process.argv.slice(2);
const require = createRequire(library);
const DHT = require('hyperdht') as { new (options: object): Dht; keyPair(): { publicKey: Buffer } };

if (job === 'receive') await receive();
else await send();

async function receive(): Promise<void> {
  const testnet = await require('hyperdht/testnet')(3, { host: '127.0.0.1' });
  // Reachable without a punch, which it does not manage on loopback.
  const where = { host: '127.0.0.1', firewalled: false, ephemeral: false };
  const dht = new DHT({ ...where, bootstrap: testnet.bootstrap });
  const keys = DHT.keyPair();
  const server = dht.createServer(async (stream) => {
    await pipeline(stream, createWriteStream(file));
    stream.end();
  });
  await server.listen(keys);
  console.log(`address ${testnet.bootstrap[0].port}/${keys.publicKey.toString('hex')}`);
}

async function send(): Promise<void> {
  const [port, key = ''] = address.split('/');
  const dht = new DHT({ host: '127.0.0.1', bootstrap: [{ host: '127.0.0.1', port: Number(port) }] });
  const stream = dht.connect(Buffer.from(key, 'hex'));
  await stream.opened;
  const startedAt = performance.now();
  const ended = new Promise((resolve) => stream.on('end', resolve));
  stream.resume();
  createReadStream(file, { highWaterMark: 256 * 1024 }).pipe(stream);
  await ended;
  console.log(`took ${performance.now() - startedAt} ms`);
}
