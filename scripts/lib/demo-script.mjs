import { createHash, randomFillSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE_BYTES = 64 * 1024 * 1024;
const LINES = [
  ['alice', 'Hello Bob, are you there?'],
  ['bob', 'Here I am. Nobody between us can read this.'],
  ['alice', 'Not even the mediator that introduced us. 🙂'],
  ['bob', '你好! Shall we swap files?'],
];

/** A conversation and a file each way, told as it happens. Returns the exit code. */
export async function playScript(stage) {
  const startedAt = performance.now();
  const say = (who, what) => console.log(`${seconds(startedAt)}  ${who.padEnd(8)}  ${what}`);
  say('mediator', `listens on port ${stage.listening.port} and admits ${stage.listening.keys} keys`);
  const peers = { alice: stage.startPeer('alice', 'bob'), bob: stage.startPeer('bob', 'alice') };
  for (const [name, peer] of Object.entries(peers)) peer.onEvent((event) => narrate(name, event, say));
  try {
    await Promise.all(Object.values(peers).map((peer) => peer.event(({ event }) => event === 'connected')));
    for (const [name, text] of LINES) await tell(peers, name, text);
    const same = await Promise.all([
      sendFile(stage, peers, 'alice', 'bob', say),
      sendFile(stage, peers, 'bob', 'alice', say),
    ]);
    const path = await settledPath(peers.alice);
    say('demo', `both files went over ${path}`);
    return report(same.every(Boolean), say);
  } finally {
    await Promise.all(Object.values(peers).map((peer) => peer.stop()));
  }
}

async function tell(peers, name, text) {
  const ref = `${name} ${text}`;
  peers[name].command({ command: 'message', text, ref });
  const { id } = await peers[name].event((event) => event.event === 'message' && event.ref === ref);
  await peers[name].event((event) => event.event === 'delivered' && event.id === id);
}

/** Resolves to whether the SHA-256 of what arrived, read back from the disk, is that of what was sent. */
async function sendFile(stage, peers, from, to, say) {
  const source = join(stage.folder, from, `from-${from}.bin`);
  const into = join(stage.folder, to, 'downloads');
  mkdirSync(into, { recursive: true });
  writeFileSync(source, randomFillSync(Buffer.allocUnsafe(FILE_BYTES)));
  peers[from].command({ command: 'send', paths: [source], ref: source });
  const { transfer } = await peers[from].event((event) => event.event === 'offered' && event.ref === source);
  await peers[to].event((event) => event.event === 'offer' && event.transfer === transfer);
  peers[to].command({ command: 'accept', transfer, into });
  const [file] = await Promise.all([
    peers[to].event((event) => event.event === 'file' && event.transfer === transfer),
    peers[from].event((event) => event.event === 'transferred' && event.transfer === transfer),
  ]);
  const [sent, received] = [source, file.path].map(sha256);
  say(from, `sent      SHA-256 ${sent}`);
  say(to, `received  SHA-256 ${received}`);
  return sent === received && received === file.sha256;
}

async function settledPath(peer) {
  peer.command({ command: 'status' });
  return (await peer.event(({ event }) => event === 'status')).path;
}

function report(same, say) {
  say('demo', same ? 'done: everything arrived as it was sent' : 'FAILED: a file arrived altered');
  return same ? 0 : 1;
}

const TOLD = {
  online: () => 'is known to the mediator',
  waiting: () => 'waits for the other',
  connected: ({ path, rttMs, group }) => `connected by ${path}, round trip ${rttMs} ms, key exchange ${group}`,
  path: ({ path, why }) => `moved to ${path}: ${why}`,
  disconnected: ({ reason }) => `lost the link: ${reason}`,
  message: ({ from, text }) => (from === 'me' ? `says: ${text}` : `reads: ${text}`),
  offered: ({ files }) => `offers ${files.map(({ name, size }) => `${name}, ${mebibytes(size)}`).join('; ')}`,
  accepted: ({ into }) => (into ? 'accepts' : null),
  progress: ({ bytes, total, bytesPerSecond }) =>
    `${mebibytes(bytes)} of ${mebibytes(total)}, ${mebibytes(bytesPerSecond)} a second`,
  transferred: () => 'transferred, verified and in place',
  error: ({ message, hint }) => `error: ${message} ${hint}`,
  bye: () => 'leaves',
};

const quarters = new Map();

/** Progress at every quarter, on the receiving side alone. */
function isNews(name, { event, transfer, into, bytes, total }) {
  if (event === 'accepted' && into) quarters.set(`${name} ${transfer}`, 0);
  if (event !== 'progress') return true;
  const quarter = Math.floor((bytes / total) * 4);
  const key = `${name} ${transfer}`;
  if (quarter <= (quarters.get(key) ?? 4)) return false;
  quarters.set(key, quarter);
  return true;
}

function narrate(name, event, say) {
  if (!isNews(name, event)) return;
  const told = TOLD[event.event]?.(event);
  if (told) say(name, told);
}

function sha256(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function mebibytes(bytes) {
  return `${(bytes / 1024 / 1024).toFixed(bytes % (1024 * 1024) === 0 ? 0 : 1)} MiB`;
}

function seconds(startedAt) {
  return `${((performance.now() - startedAt) / 1000).toFixed(2)} s`.padStart(8);
}
