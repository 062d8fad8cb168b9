import { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { MAX_FRAME_MEDIATOR, MAX_FRAME_PEER, MAX_FRAME_UNPROVEN } from '../../../src/protocol/constants.js';
import { decodeData, encodeData } from '../../../src/protocol/data-frames.js';
import { LinkClosedError, ProtocolError } from '../../../src/protocol/errors.js';
import { FramedStream } from '../../../src/protocol/framed-stream.js';
import { encodeFrame, FrameReader, FrameType } from '../../../src/protocol/frames.js';
import { PREFACE_BYTES, prefaceMatches, prefaceOf, readPreface } from '../../../src/protocol/preface.js';
import { type Codec, mediatorCodec, peerCodec } from '../../../src/protocol/wire.js';
import { peekFirstByte } from '../../../src/server/first-bytes.js';
import { MEDIATOR_MESSAGES, PEER_MESSAGES } from '../samples.js';
import { ensure, orRefused, type Target } from '../target.js';

/** What comes over a stream: before anybody has proved anything, and after. */

const LIMITS = [MAX_FRAME_UNPROVEN, MAX_FRAME_MEDIATOR, MAX_FRAME_PEER, 0];
const TOKEN = Buffer.alloc(32, 0x66);
const MAX_STREAM_BYTES = 64 * 1024;

const peerPayloads = () => PEER_MESSAGES.map((message) => peerCodec.encode(message));
const mediatorPayloads = () => MEDIATOR_MESSAGES.map((message) => mediatorCodec.encode(message));
const messageFrames = (payloads: Buffer[]) => payloads.map((payload) => encodeFrame(FrameType.message, payload));
const dataFrame = () => encodeData(1, 2, 3, Buffer.from('data'));

/** An input's first two bytes say what the limit is and into what pieces the others are cut. */
const framed = (frames: Buffer[]) => frames.map((frame) => Buffer.concat([Buffer.from([2, 7]), frame]));

const frames: Target = {
  name: 'frames',
  seeds: () =>
    framed([...messageFrames(peerPayloads()), dataFrame(), Buffer.concat(messageFrames(mediatorPayloads()))]),
  maxBytes: MAX_STREAM_BYTES,
  maxMs: 250,
  run: (input) => {
    const reader = new FrameReader(LIMITS[(input[0] ?? 0) % LIMITS.length] ?? 0);
    const whole: Buffer[] = [];
    orRefused(() => {
      for (const piece of piecesOf(input)) {
        reader.push(piece);
        for (let frame = reader.next(); frame; frame = reader.next()) {
          ensure(frame.payload.length <= reader.limit, 'a frame has a length below the limit');
          whole.push(encodeFrame(frame.type, frame.payload));
        }
      }
    }, ProtocolError);
    const read = Buffer.concat(whole);
    ensure(read.equals(input.subarray(2, 2 + read.length)), 'frames are what came, and nothing else');
  },
};

const dataFrames: Target = {
  name: 'data-frames',
  seeds: () => [dataFrame().subarray(5), Buffer.concat([Buffer.alloc(16, 0xff), Buffer.from([1])])],
  maxBytes: 4096,
  maxMs: 250,
  run: (input) => {
    const chunk = orRefused(() => decodeData({ type: FrameType.data, payload: input }), ProtocolError);
    if (!chunk) return;
    const header = encodeData(chunk.stream, chunk.entry, chunk.offset, Buffer.alloc(0)).subarray(5);
    ensure(Buffer.concat([header, chunk.content]).equals(input), 'data come back as they were');
  },
};

function messages<Message>(name: string, codec: Codec<Message>, seeds: () => Buffer[]): Target {
  return {
    name,
    seeds,
    maxBytes: MAX_STREAM_BYTES,
    maxMs: 500,
    run: (input) => {
      const message = orRefused(() => codec.decode(input), ProtocolError);
      if (message === null) return;
      const encoded = codec.encode(message);
      ensure(isDeepStrictEqual(codec.decode(encoded), message), 'what was taken means the same when it is said again');
      ensure(codec.encode(codec.decode(encoded)).equals(encoded), 'it has one encoding');
    },
  };
}

/** A whole connection: one message asked for, as in a handshake, the others taken as they come. */
function streams<Message>(name: string, codec: Codec<Message>, seeds: () => Buffer[]): Target {
  return {
    name,
    seeds: () => framed([...messageFrames(seeds()), Buffer.concat([...messageFrames(seeds()), dataFrame()])]),
    maxBytes: MAX_STREAM_BYTES,
    maxMs: 1_000,
    run: async (input) => {
      const stream = new FramedStream(streamOf(input), codec, LIMITS[(input[0] ?? 0) % LIMITS.length] ?? 0);
      const first = stream.next(new AbortController().signal).catch((error) => error);
      const ended = new Promise<Error>((resolve) => {
        const handlers = { onMessage: () => {}, onData: () => {}, onClose: resolve };
        first.then(() => stream.attach(handlers));
      });
      const reason = await ended;
      ensure(
        reason instanceof ProtocolError || reason instanceof LinkClosedError,
        `it ends as it may: ${reason.stack}`,
      );
    },
  };
}

const prefaces: Target = {
  name: 'prefaces',
  seeds: () =>
    [prefaceOf(TOKEN, 'client'), prefaceOf(TOKEN, 'server'), Buffer.from('GET / HTTP/1.1\r\n\r\n')].map((bytes) =>
      Buffer.concat([Buffer.from([0, 3]), bytes]),
    ),
  maxBytes: 512,
  maxMs: 1_000,
  run: async (input) => {
    const never = new AbortController().signal;
    const first = await peekFirstByte(streamOf(input) as never, never).catch(expected);
    ensure(first === null || first === input[2], 'the first byte is the first');
    const preface = await readPreface(streamOf(input), never).catch(expected);
    if (preface === null) return;
    ensure(preface.equals(input.subarray(2, 2 + PREFACE_BYTES)), 'a preface is what came');
    for (const role of ['client', 'server'] as const) {
      ensure(
        prefaceMatches(preface, TOKEN, role) === preface.equals(prefaceOf(TOKEN, role)),
        'only the right one fits',
      );
    }
  },
};

function expected(error: unknown): null {
  if (error instanceof ProtocolError || error instanceof LinkClosedError) return null;
  throw error;
}

function piecesOf(input: Buffer): Buffer[] {
  const size = Math.max(1, input[1] ?? 1) ** 2;
  const pieces: Buffer[] = [];
  for (let at = 2; at < input.length; at += size) pieces.push(input.subarray(at, at + size));
  return pieces;
}

/** The other end says all of it, piece by piece, and closes. */
function streamOf(input: Buffer): Duplex {
  const pieces = piecesOf(input);
  return new Duplex({
    read() {
      this.push(pieces.shift() ?? null);
    },
    write: (_bytes, _encoding, done) => done(),
  });
}

export const WIRE_TARGETS: Target[] = [
  frames,
  dataFrames,
  messages('mediator-messages', mediatorCodec, mediatorPayloads),
  messages('peer-messages', peerCodec, peerPayloads),
  streams('mediator-streams', mediatorCodec, mediatorPayloads),
  streams('peer-streams', peerCodec, peerPayloads),
  prefaces,
];
