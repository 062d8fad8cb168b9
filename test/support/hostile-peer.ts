import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { MAX_FRAME_PEER, PROTOCOL_VERSION } from '../../src/protocol/constants.js';
import { FramedStream } from '../../src/protocol/framed-stream.js';
import { encodeFrame, FrameType } from '../../src/protocol/frames.js';
import { type Identity, parsePrivatePem } from '../../src/protocol/identity.js';
import type { Held, Introduction, ItemBody, PeerMessage } from '../../src/protocol/messages.js';
import { roleOf } from '../../src/protocol/peer-handshake.js';
import { prefaceOf, readPreface } from '../../src/protocol/preface.js';
import { signPss } from '../../src/protocol/signatures.js';
import { exporterOf, tlsClient, tlsServer } from '../../src/protocol/tls.js';
import { PEER_EXPORTER_LABEL, peerTranscript, type Role } from '../../src/protocol/transcripts.js';
import { peerCodec } from '../../src/protocol/wire.js';
import { credentialsOf } from './credentials.js';
import { type MediatorClient, openRelayStream, registerWith } from './mediator-client.js';
import { type Name, OTHER, Pair } from './pair.js';
import type { RunningProgram } from './program.js';

type Kind = PeerMessage['kind'];
type Of<K extends Kind> = Extract<PeerMessage, { kind: K }>;

const PATIENCE_MS = 20_000;
/** In this time the victim's budget grows by one costly message. */
const AGAIN_AFTER_MS = 200;

/** A real mediator, a real program, and the keys of the peer that the program wants: the hostile one has them. */
export class HostileStage {
  readonly pair = new Pair();
  readonly victimName: Name;
  readonly me: Identity;
  readonly victimIdentity: Identity;
  /** The victim's part in TLS. */
  readonly role: Role;

  constructor(role: Role) {
    const alice = this.#identityOf('alice');
    const bob = this.#identityOf('bob');
    this.role = role;
    this.victimName = roleOf(alice.id, bob.id) === role ? 'alice' : 'bob';
    [this.victimIdentity, this.me] = this.victimName === 'alice' ? [alice, bob] : [bob, alice];
  }

  /** Starts the victim and waits until it is ready to be met. */
  async startVictim(...options: string[]): Promise<RunningProgram> {
    const victim = this.pair.startPeer(this.victimName, ...options);
    await victim.next('waiting');
    return victim;
  }

  /** The folder that the victim lives in. */
  home(): string {
    return this.pair.path(this.victimName, 'home');
  }

  hostileName(): Name {
    return OTHER[this.victimName];
  }

  #identityOf(name: Name): Identity {
    return parsePrivatePem(readFileSync(this.pair.keys(name), 'utf8'));
  }
}

/** A peer with the right key, built from protocol/ alone, that says what a test makes it say. */
export class HostilePeer {
  readonly introduction: Introduction;
  readonly journalId = randomBytes(16).toString('hex');
  /** Why, as seen from here, the link ended. */
  readonly ended: Promise<Error>;
  isEnded = false;
  readonly #stage: HostileStage;
  readonly #control: MediatorClient;
  readonly #socket: TLSSocket;
  readonly #framed: FramedStream<PeerMessage>;
  readonly #heard: PeerMessage[] = [];
  readonly #waiting = new Set<() => void>();
  #sequence = 0;
  #epoch = 0;
  #victimHolds: Held | null = null;

  private constructor(stage: HostileStage, control: MediatorClient, introduction: Introduction, socket: TLSSocket) {
    this.#stage = stage;
    this.#control = control;
    this.introduction = introduction;
    this.#socket = socket;
    this.#framed = new FramedStream(socket, peerCodec, MAX_FRAME_PEER);
    this.ended = new Promise((resolve) => {
      this.#framed.attach({
        onMessage: (message) => this.#receive(message),
        onData: () => {},
        onClose: (reason) => {
          this.isEnded = true;
          resolve(reason);
          this.#changed();
        },
      });
    });
  }

  /** Introduced, and inside TLS with the victim over the relay: neither has said anything yet. */
  static secure(stage: HostileStage): Promise<HostilePeer> {
    return HostilePeer.#meet(stage, async () => {});
  }

  /** Authenticated, and not the session's link. */
  static link(stage: HostileStage): Promise<HostilePeer> {
    return HostilePeer.#meet(stage, (peer) => peer.#authenticate());
  }

  /** The session's link, activated as an honest peer does. */
  static join(stage: HostileStage, held: Partial<Held> = {}): Promise<HostilePeer> {
    return HostilePeer.#meet(stage, async (peer) => {
      await peer.#authenticate();
      await peer.#activated(held);
    });
  }

  /**
   * Tries until the victim takes it, for two things may end a link before that: a victim that has just lost its link asks
   * to be introduced once more, and then leaves what the introduction before has led to; and after a flood it ends every
   * link that is to be activated, until the budget of costly messages has come back.
   */
  static async #meet(stage: HostileStage, talk: (peer: HostilePeer) => Promise<void>): Promise<HostilePeer> {
    const where = { port: stage.pair.port };
    const signal = patience();
    for (;;) {
      const control = await registerWith(where, stage.me, stage.victimIdentity.id);
      let stream: Duplex | undefined;
      try {
        const introduction = await control.take('introduction');
        stream = await openRelayStream(where, introduction, myRole(stage));
        await Promise.race([readPreface(stream, patience()), introducedAnew(control)]);
        const peer = new HostilePeer(stage, control, introduction, await secured(stage, stream));
        await talk(peer);
        return peer;
      } catch (error) {
        stream?.destroy();
        control.destroy();
        if (signal.aborted) throw error;
      }
      await sleep(AGAIN_AFTER_MS);
    }
  }

  /** A further stream, to where the victim listens, with the right preface, inside TLS. */
  async dial(port: number, token: Buffer): Promise<TLSSocket> {
    const stream = net.connect(port, '127.0.0.1');
    stream.on('error', () => {});
    await once(stream, 'connect', { signal: patience() });
    stream.write(prefaceOf(token, myRole(this.#stage)));
    await readPreface(stream, patience());
    return secured(this.#stage, stream);
  }

  /** The proof of this connection, or of what is given in its place. */
  proof(exporter = exporterOf(this.#socket, PEER_EXPORTER_LABEL), signer = myRole(this.#stage)): Of<'proof'> {
    const { me, victimIdentity } = this.#stage;
    const [clientId, serverId] =
      myRole(this.#stage) === 'client' ? [me.id, victimIdentity.id] : [victimIdentity.id, me.id];
    const transcript = peerTranscript({ signer, clientId, serverId, exporter });
    return { kind: 'proof', signature: signPss(me.privateKey, transcript) };
  }

  hello(more: Partial<Of<'hello'>> = {}): Of<'hello'> {
    const ids = { runId: randomBytes(16).toString('hex'), journalId: this.journalId };
    return { kind: 'hello', version: PROTOCOL_VERSION, features: [], group: 'X25519', path: 'relay', ...ids, ...more };
  }

  held(more: Partial<Held> = {}): Held {
    return { peerJournalId: '', peerSequence: 0, journalId: this.journalId, firstSequence: 1, ...more };
  }

  activate(held: Partial<Held> = {}): void {
    this.#epoch += 1;
    this.send({ kind: 'activate', epoch: this.#epoch, path: 'relay', why: '', held: this.held(held) });
  }

  send(...messages: PeerMessage[]): void {
    this.write(Buffer.concat(messages.map((message) => encodeFrame(FrameType.message, peerCodec.encode(message)))));
  }

  /** Bytes as they are. Resolves when they are on their way, or never will be. */
  async write(bytes: Buffer): Promise<void> {
    if (this.#socket.destroyed) return;
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** The next items of this journal. */
  items(...bodies: ItemBody[]): Of<'item'>[] {
    return bodies.map((body) => {
      this.#sequence += 1;
      return { kind: 'item', sequence: this.#sequence, atMs: 1_700_000_000_000, body };
    });
  }

  /** What it was told and has not taken. */
  get heard(): readonly PeerMessage[] {
    return this.#heard;
  }

  stopReading(): void {
    this.#framed.pause();
  }

  /** Takes the first such message, heard already or yet to come. */
  async next<K extends Kind>(kind: K, fits: (message: Of<K>) => boolean = () => true): Promise<Of<K>> {
    const signal = patience();
    for (;;) {
      const at = this.#heard.findIndex((message) => message.kind === kind && fits(message as Of<K>));
      if (at >= 0) return this.#heard.splice(at, 1)[0] as Of<K>;
      if (this.isEnded) throw new Error(`no ${kind} came before the link ended: ${(await this.ended).message}`);
      if (signal.aborted) throw new Error(`no ${kind} came`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  /** Says why it goes, and waits until the victim has gone too: a socket that is closed with something unread takes words back. */
  async leave(reason: string): Promise<void> {
    this.send({ kind: 'end', reason });
    await this.#framed.end();
    this.close();
  }

  close(): void {
    this.#socket.destroy();
    this.#control.destroy();
  }

  /** What the victim holds, as it said when the link became the session's. */
  get victimHolds(): Held {
    if (this.#victimHolds === null) throw new Error('the victim has not told what it holds');
    return this.#victimHolds;
  }

  async #activated(held: Partial<Held>): Promise<void> {
    if (myRole(this.#stage) === 'client') {
      this.activate(held);
      this.#victimHolds = (await this.next('activated')).held;
    } else {
      const { epoch, held: victimHolds } = await this.next('activate');
      this.#victimHolds = victimHolds;
      this.send({ kind: 'activated', epoch, held: this.held(held) });
    }
  }

  async #authenticate(): Promise<void> {
    this.send(this.proof(), this.hello());
    await this.next('hello');
  }

  #receive(message: PeerMessage): void {
    if (message.kind === 'ping') this.send({ kind: 'pong', nonce: message.nonce });
    else this.#heard.push(message);
    this.#changed();
  }

  #changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** Rejects then: the victim may never open what the introduction before led to. */
function introducedAnew(control: MediatorClient): Promise<never> {
  const anew = control.take('introduction').then(() => Promise.reject(new Error('introduced anew')));
  anew.catch(() => {});
  return anew;
}

function myRole({ role }: HostileStage): Role {
  return role === 'client' ? 'server' : 'client';
}

async function secured(stage: HostileStage, stream: Duplex): Promise<TLSSocket> {
  const open = myRole(stage) === 'client' ? tlsClient : tlsServer;
  return open(stream, credentialsOf(stage.me), () => {}, patience());
}

function patience(): AbortSignal {
  return AbortSignal.timeout(PATIENCE_MS);
}
