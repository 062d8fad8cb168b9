import {
  createHash,
  createHmac,
  constants as crypto,
  type KeyObject,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type TLSSocket } from 'node:tls';

/**
 * A second implementation of proto/README.md, made from that page and the .proto files alone: it imports nothing of
 * src/, and protobuf, DER and frames are written by hand. As small as can be, and for tests alone.
 */

export type Role = 'client' | 'server';

export interface KeyPair {
  id: Buffer;
  publicKey: KeyObject;
  privateKey: KeyObject;
}

// Keys and ids

export function idOf(publicKey: KeyObject): Buffer {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}

// Frames and messages

type Value = number | string | Buffer;

/** One protobuf field: a number as varint, anything else as bytes. */
export function field(number: number, value: Value): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint(number << 3), varint(value)]);
  const bytes = Buffer.from(value as Buffer);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

export function message(number: number, ...fields: Buffer[]): Buffer {
  return field(number, Buffer.concat(fields));
}

function varint(value: number): Buffer {
  const bytes = [];
  let rest = BigInt(value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

/** The last value of each field. */
export class Fields {
  readonly #values = new Map<number, number | Buffer>();

  constructor(bytes: Buffer) {
    let at = 0;
    const next = () => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = BigInt(bytes.readUInt8(at++));
        value |= (byte & 0x7fn) << shift;
        if (byte < 0x80n) return Number(value);
      }
    };
    while (at < bytes.length) {
      const tag = next();
      const value = next();
      if ((tag & 7) === 0) this.#values.set(tag >> 3, value);
      else {
        this.#values.set(tag >> 3, bytes.subarray(at, at + value));
        at += value;
      }
    }
  }

  get numbers(): number[] {
    return [...this.#values.keys()];
  }

  number(field: number): number {
    return Number(this.#values.get(field) ?? 0);
  }

  bytes(field: number): Buffer {
    const value = this.#values.get(field) ?? Buffer.alloc(0);
    if (typeof value === 'number') throw new Error(`field ${field} is a number`);
    return value;
  }

  text(field: number): string {
    return this.bytes(field).toString();
  }

  inner(field: number): Fields {
    return new Fields(this.bytes(field));
  }
}

export class Frames {
  readonly #stream: Duplex;
  #bytes = Buffer.alloc(0);
  #wake: () => void = () => {};

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    stream.on('close', () => this.#wake());
  }

  send(payload: Buffer): void {
    const header = Buffer.alloc(5);
    header[0] = 1;
    header.writeUInt32BE(payload.length, 1);
    this.#stream.write(Buffer.concat([header, payload]));
  }

  /** The number of the message's one field, and what is in it. Null when the stream has ended. */
  async next(): Promise<{ kind: number; body: Fields } | null> {
    while (this.#bytes.length < 5 || this.#bytes.length < 5 + this.#bytes.readUInt32BE(1)) {
      if (this.#stream.closed) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const length = this.#bytes.readUInt32BE(1);
    if (this.#bytes[0] !== 1) throw new Error('no message');
    const envelope = new Fields(this.#bytes.subarray(5, 5 + length));
    this.#bytes = this.#bytes.subarray(5 + length);
    const [kind = 0] = envelope.numbers;
    return { kind, body: envelope.inner(kind) };
  }

  end(): void {
    this.#stream.end();
  }
}

// TLS

export function transcript(label: string, ...parts: Buffer[]): Buffer {
  return Buffer.concat(
    [Buffer.from(label), ...parts].flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

const PSS = { padding: crypto.RSA_PKCS1_PSS_PADDING, saltLength: 32 };

export function signatureOver(bytes: Buffer, key: KeyPair): Buffer {
  return sign('sha256', bytes, { key: key.privateKey, ...PSS });
}

const TLS_ONLY_1_3 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', rejectUnauthorized: false } as const;

function shownKey(socket: TLSSocket): KeyObject {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) throw new Error('no certificate');
  return certificate.publicKey;
}

// The first handshake

export interface Registration {
  frames: Frames;
  /** The mediator's last word of the handshake: 4 is Admitted, 5 is Refused. Null: closed without a word. */
  verdict: { kind: number; body: Fields } | null;
}

export async function registerWith(
  port: number,
  me: KeyPair,
  wantedId: Buffer,
  mediatorId: Buffer,
  tamper = (signed: Buffer) => signed,
): Promise<Registration> {
  const socket = tls.connect({ port, host: '127.0.0.1', ...TLS_ONLY_1_3 });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  if (!idOf(shownKey(socket)).equals(mediatorId)) throw new Error('not that mediator');
  const frames = new Frames(socket);
  frames.send(message(1, field(1, 1), field(2, me.id), field(3, wantedId)));
  const challenge = await frames.next();
  if (challenge?.kind !== 2) return { frames, verdict: challenge };
  const exporter = socket.exportKeyingMaterial(32, 'EXPORTER-turbo-beep/1-mediator', Buffer.alloc(0));
  const signed = transcript('turbo-beep/1 mediator', me.id, wantedId, mediatorId, challenge.body.bytes(1), exporter);
  frames.send(message(3, field(1, signatureOver(tamper(signed), me))));
  return { frames, verdict: await frames.next() };
}

// Prefaces and the relay

export function preface(token: Buffer, role: Role): Buffer {
  const proof = createHmac('sha256', token).update(`turbo-beep/1 preface ${role}`).digest();
  return Buffer.concat([Buffer.from('tbeep/1\n'), proof]);
}

export async function openRelay(port: number, token: Buffer, role: Role): Promise<Duplex> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(preface(token, role));
  const theirs = await new Promise<Buffer | null>((resolve) => {
    socket.on('close', () => resolve(null));
    socket.on('readable', () => {
      const bytes = socket.read(40);
      if (!bytes) return;
      socket.removeAllListeners('readable');
      resolve(bytes);
    });
  });
  if (!theirs?.equals(preface(token, role === 'client' ? 'server' : 'client'))) throw new Error('a wrong preface');
  return socket;
}

// The second handshake

export async function shakeHands(stream: Duplex, role: Role, me: KeyPair, peer: KeyObject): Promise<Frames> {
  const own = { key: me.privateKey.export({ type: 'pkcs8', format: 'pem' }), cert: certificateOf(me) };
  const secured =
    role === 'client'
      ? tls.connect({ socket: stream, ...own, ...TLS_ONLY_1_3 })
      : new tls.TLSSocket(stream, {
          isServer: true,
          requestCert: true,
          rejectUnauthorized: false,
          secureContext: tls.createSecureContext({ ...own, minVersion: 'TLSv1.3' }),
        });
  await new Promise<void>((resolve, reject) => {
    secured.on('error', reject);
    secured.on(role === 'client' ? 'secureConnect' : 'secure', () => {
      if (idOf(shownKey(secured)).equals(idOf(peer))) return resolve();
      secured.destroy();
      reject(new Error('not that peer'));
    });
  });

  const [mine, theirs] = [me.id, idOf(peer)];
  const ids = role === 'client' ? [mine, theirs] : [theirs, mine];
  const exporter = secured.exportKeyingMaterial(32, 'EXPORTER-turbo-beep/1-peer', Buffer.alloc(0));
  const other = role === 'client' ? 'server' : 'client';
  const frames = new Frames(secured);
  frames.send(
    message(1, field(1, signatureOver(transcript(`turbo-beep/1 peer-${role}`, ...ids, theirs, exporter), me))),
  );
  const proof = await frames.next();
  const expected = transcript(`turbo-beep/1 peer-${other}`, ...ids, mine, exporter);
  if (proof?.kind !== 1 || !verify('sha256', expected, { key: peer, ...PSS }, proof.body.bytes(1)))
    throw new Error('the proof does not hold');
  return frames;
}

/** An envelope for the key, and no more: version, serial, algorithm, names, dates, key, and a signature. */
export function certificateOf({ publicKey, privateKey }: KeyPair): string {
  const sha256WithRsa = der(0x30, der(0x06, Buffer.from('2a864886f70d01010b', 'hex')), der(0x05));
  const name = der(0x30);
  const validity = der(0x30, der(0x17, Buffer.from('000101000000Z')), der(0x18, Buffer.from('99991231235959Z')));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const tbs = der(0x30, der(0x02, Buffer.of(1)), sha256WithRsa, name, validity, name, spki);
  const signature = der(0x03, Buffer.of(0), sign('sha256', tbs, privateKey));
  return new X509Certificate(der(0x30, tbs, sha256WithRsa, signature)).toString();
}

function der(tag: number, ...content: Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  const { length } = bytes;
  const header = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), bytes]);
}
