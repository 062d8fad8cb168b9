import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { Journal } from '../../../src/peer/session/journal/journal.js';
import { Session } from '../../../src/peer/session/session.js';
import { MAX_FRAME_PEER } from '../../../src/protocol/constants.js';
import { encodeData } from '../../../src/protocol/data-frames.js';
import { LinkClosedError, ProtocolError } from '../../../src/protocol/errors.js';
import { FramedStream } from '../../../src/protocol/framed-stream.js';
import { encodeFrame, FrameType } from '../../../src/protocol/frames.js';
import { Link } from '../../../src/protocol/link.js';
import type { Hello, Item, ItemBody, PeerMessage } from '../../../src/protocol/messages.js';
import { peerCodec } from '../../../src/protocol/wire.js';
import { quickFolder } from '../folder.js';
import { PEER_MESSAGES, TRANSFER } from '../samples.js';
import { ensure, Reader, type Target } from '../target.js';

/**
 * A whole session with its journal on disk, and an authenticated peer who says anything in any order: texts, offers that
 * are accepted at once, data that nobody asked for.
 */

const JOURNAL_ID = 'cd'.repeat(16);
/** After so many inputs a session begins anew: it remembers, and what it remembers makes it slow in the end. */
const INPUTS_PER_SESSION = 300;
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const CONTENT = Buffer.from('abc');

function session(): Target {
  let victim: Victim | null = null;
  let inputs = 0;
  return {
    name: 'session',
    seeds: () => [
      Buffer.from([5, 0, 0]),
      // A manifest, its offer, and the file that is then wanted.
      Buffer.from([7, 0, 0, 8, 0, 0, 15, 0, 0, 40, 1, 0, 3, 16, 0, 0]),
      Buffer.from(PEER_MESSAGES.flatMap((_, at) => [at, 0, 0])),
      Buffer.from([2, 0, 0, 23, 0, 0, 19, 0, 0, 20, 0, 0]),
    ],
    maxBytes: 240,
    maxMs: 4_000,
    run: async (input) => {
      if (++inputs % INPUTS_PER_SESSION === 0) {
        await victim?.stop();
        victim = null;
      }
      victim ??= new Victim();
      await victim.hear(input);
    },
    close: () => victim?.stop(),
  };
}

class Victim {
  readonly #folder = quickFolder();
  readonly #journal: Journal;
  readonly #session: Session;
  readonly #offers: string[] = [];
  #sequence = 0;
  #runs = 0;

  constructor() {
    const directory = join(this.#folder, 'journal');
    mkdirSync(directory, { mode: 0o700 });
    writeFileSync(join(this.#folder, 'sent.txt'), 'abc');
    this.#journal = Journal.open({ directory, privateKey });
    this.#session = new Session({
      role: 'server',
      journal: this.#journal,
      peerId: '22'.repeat(32),
      defaultInto: join(this.#folder, 'into'),
      onPipeMismatch: () => {},
      onSuccession: () => () => {},
      emit: (event) => this.#told(event),
      whenShown: (then) => then(),
      onLost: () => {},
      onUse: () => {},
      onCandidates: () => {},
      onDoubt: () => {},
      onRemember: () => {},
    });
  }

  async hear(input: Buffer): Promise<void> {
    const frames = this.#framesOf(input);
    const wire = new Duplex({
      read() {
        this.push(frames.shift() ?? null);
      },
      write: (_bytes, _encoding, done) => done(),
    });
    const ended = new Promise<Error | null>((resolve) => wire.on('close', () => resolve(wire.errored)));
    this.#session.add(this.#linkOver(wire), this.#runs);
    if (this.#offers.length > 0)
      for (const transfer of this.#offers.splice(0)) this.#session.accept(transfer).catch(() => {});
    const error = await ended;
    const kinds = [ProtocolError, LinkClosedError];
    ensure(error === null || kinds.some((kind) => error instanceof kind), `the link ends as it may: ${error?.stack}`);
    this.#session.status('waiting');
    this.#session.message('still there');
    const outside = readdirSync(this.#folder).filter((name) => !['journal', 'into', 'sent.txt'].includes(name));
    ensure(outside.length === 0, `nothing lands beside the folder: ${outside}`);
  }

  async stop(): Promise<void> {
    await this.#session.close();
    this.#journal.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #told(event: SessionEvent): void {
    if (event.event === 'offer') this.#offers.push(event.transfer);
    JSON.stringify(event);
  }

  #linkOver(wire: Duplex): Link {
    // A new run each time: the peer's former links are of no account any more.
    this.#runs += 1;
    const runId = this.#runs.toString(16).padStart(32, '0');
    const hello: Hello = { kind: 'hello', version: 1, features: [], runId, journalId: JOURNAL_ID, group: '', path: '' };
    const facts = {
      role: 'server',
      path: 'tcp-direct',
      remote: '192.0.2.1:1',
      sameNetwork: false,
      group: 'X25519',
    } as const;
    return new Link(new FramedStream(wire, peerCodec, MAX_FRAME_PEER), { ...facts, hello, signallingOnly: false }, 1);
  }

  /** It begins as an honest link does; then each three bytes of the input are a message, and two ways to bend it. */
  #framesOf(input: Buffer): Buffer[] {
    const held = { peerJournalId: '', peerSequence: 0, journalId: JOURNAL_ID, firstSequence: this.#sequence + 1 };
    const frames = [frameOf({ kind: 'activate', epoch: 1, path: 'relay', why: '', held })];
    for (const reader = new Reader(input); !reader.done; ) frames.push(this.#frameFrom(reader));
    return frames;
  }

  #frameFrom(reader: Reader): Buffer {
    const which = reader.byte();
    if (which === 40) return dataFrom(reader);
    const template = PEER_MESSAGES[which % PEER_MESSAGES.length];
    const bend = reader.byte();
    const value = reader.number();
    if (template?.kind === 'item') return frameOf(this.#itemFrom(template, bend, value));
    return frameOf(bent((template ?? { kind: 'pipeDone' }) as PeerMessage, bend, value) as PeerMessage);
  }

  /** Mostly the next one, so that it is heard. */
  #itemFrom({ body, atMs }: Item, bend: number, value: number): PeerMessage {
    const isNext = bend % 8 !== 7;
    if (isNext) this.#sequence += 1;
    const sequence = isNext ? this.#sequence : value;
    const transfer = 'transfer' in body ? { transfer: transferOf(value) } : {};
    const changed = bend % 4 === 3 ? (bent(body, bend, value) as ItemBody) : { ...body, ...transfer };
    return {
      kind: 'item',
      sequence,
      atMs: bend % 16 === 9 ? Number.MAX_SAFE_INTEGER : atMs,
      body: changed as ItemBody,
    };
  }
}

function dataFrom(reader: Reader): Buffer {
  const bytes = CONTENT.subarray(0, 1 + (reader.byte() % CONTENT.length));
  return encodeData(reader.byte(), reader.byte(), reader.number(), bytes);
}

/** Each transfer of its own, or the same again. */
function transferOf(value: number): string {
  return value === 0 ? TRANSFER : createHash('sha256').update(String(value)).digest('hex').slice(0, 32);
}

/** The same with other numbers, or with another text. */
function bent(value: object, bend: number, number: number): object {
  const fields = Object.entries(value).map(([name, field], at) => {
    const isChosen = (bend >> (at % 7)) & 1;
    if (typeof field === 'number' && isChosen) return [name, number];
    if (typeof field === 'string' && name === 'path' && isChosen)
      return [name, ['..', '/x', 'a\\b', 'con', 'a'][number % 5]];
    if (Array.isArray(field))
      return [name, field.map((one) => (typeof one === 'object' && one ? bent(one, bend >> 1, number) : one))];
    return [name, field];
  });
  return Object.fromEntries(fields);
}

function frameOf(message: PeerMessage): Buffer {
  return encodeFrame(FrameType.message, peerCodec.encode(message));
}

export const SESSION_TARGETS: Target[] = [session()];
