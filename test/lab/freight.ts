import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { LabMeeting } from './meeting.js';
import type { Lab } from './net.js';

const MEBIBYTE = 1024 * 1024;

/** Lets no more than this out of an interface, e.g. '10mbit'. */
export function throttle(lab: Lab, where: string, port: string, rate: string): void {
  const options = ['rate', rate, 'burst', '256kb', 'latency', '100ms'];
  lab.run(where, 'tc', ['qdisc', 'add', 'dev', port, 'root', 'tbf', ...options]);
}

/** Makes a file, offers it to b and lets b accept it. Resolves to its SHA-256 when the transfer has begun. */
export async function beginTransfer(meeting: LabMeeting, folder: string, mebibytes: number): Promise<string> {
  const path = join(folder, 'large.bin');
  const sha256 = await writeFile(path, mebibytes);
  meeting.command('a', { command: 'send', paths: [path] });
  const offer = await meeting.event('b', ({ event }) => event === 'offer');
  meeting.command('b', { command: 'accept', transfer: offer?.transfer, into: join(folder, 'received') });
  return sha256;
}

/** What b says of the file that it has received; null if that took longer. */
export async function digestReceived(meeting: LabMeeting, deadlineMs: number): Promise<unknown> {
  return (await meeting.event('b', ({ event }) => event === 'file', deadlineMs))?.sha256 ?? null;
}

/** No two blocks alike. */
async function writeFile(path: string, mebibytes: number): Promise<string> {
  const hash = createHash('sha256');
  const file = createWriteStream(path);
  const block = Buffer.alloc(MEBIBYTE);
  for (let at = 0; at < mebibytes; at += 1) {
    block.writeUInt32LE(at, at * 4);
    hash.update(block);
    if (!file.write(Buffer.from(block))) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
  return hash.digest('hex');
}
