import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { PROBE_KEY_BYTES } from '../protocol/constants.js';
import { ProtocolError } from '../protocol/errors.js';
import type { Endpoint } from '../protocol/messages.js';
import { InvalidSuccessionError, readSuccession, type Succession } from '../protocol/succession.js';
import type { TlsCredentials } from '../protocol/tls.js';
import { describeSystemError } from '../shared/system-error.js';
import { Bars } from './bars.js';
import { coarseAddress, coarseId } from './coarse.js';
import { ControlConnection } from './control.js';
import { DebugLog } from './debug-log.js';
import { Directory } from './directory.js';
import { Door } from './door.js';
import type { Proven } from './first-handshake.js';
import { listenOn } from './listen.js';
import { ReflexiveService } from './reflexive/reflexive-service.js';
import { Registry, type RegistryEffect, type RegistryEvent } from './registry.js';
import type { RelayLimits } from './relay/allowances.js';
import { Relays } from './relay/relays.js';

export interface MediatorOptions {
  /** Where to listen; port 0: any free one. */
  where: Endpoint;
  /** The folder of the keys that are admitted. */
  certs: string;
  /** Where the bars of revoked keys are. */
  home: string;
  /** A key that is admitted may name its successor. */
  followSuccessions?: boolean;
  /** The demo runs, which may use the example keys without a warning. */
  demo?: boolean;
  credentials: TlsCredentials;
  relay: RelayLimits;
  /** Another address of this machine that peers can reach, for telling their gateways apart. */
  secondAddress?: string | null;
  warn: (text: string) => void;
  /** Takes what peers do, told coarsely; null: it is nobody's business. */
  debug?: ((text: string) => void) | null;
  /** The directory changed. */
  onKeys: (count: number) => void;
}

const SWEEP_EVERY_MS = 5_000;
const KEEPALIVE_AFTER_MS = 15_000;
/** The same warning comes no more often than this, however many connections cause it. */
const WARN_EVERY_MS = 60_000;

/**
 * The mediator: connections come in through the door as admitted peers or relay streams, the registry decides who is
 * told what, and the relays carry bytes.
 */
export class Mediator {
  readonly #options: MediatorOptions;
  readonly #server: net.Server;
  readonly #bars: Bars;
  readonly #directory: Directory;
  readonly #door: Door;
  readonly #registry: Registry;
  readonly #relays: Relays;
  #reflexive: ReflexiveService | null = null;
  readonly #controls = new Map<number, ControlConnection>();
  readonly #wakes = new Set<NodeJS.Timeout>();
  readonly #effects: RegistryEffect[] = [];
  readonly #log: DebugLog | null;
  readonly #warnedAt = new Map<string, number>();
  #performing = false;
  #sweeps: NodeJS.Timeout | undefined;
  #admissions = 0;

  constructor(options: MediatorOptions) {
    this.#options = options;
    const { certs, demo = false, credentials, relay, warn, debug } = options;
    this.#log = debug ? new DebugLog(debug) : null;
    this.#relays = new Relays({ limits: relay });
    this.#registry = new Registry({
      random: randomBytes,
      relayQuota: (ids) => this.#relays.quotaFor(ids),
      probes: () => this.#reflexive?.probes ?? [],
    });
    this.#bars = new Bars(options.home, warn);
    this.#directory = new Directory({
      root: certs,
      bars: this.#bars,
      demo,
      warn,
      onChange: ({ removed }) => this.#keysChanged(removed),
    });
    this.#door = new Door({
      credentials,
      keyOf: (id) => this.#directory.keyOf(id),
      onProven: (proven, reflexive) => this.#admit(proven, reflexive),
      onRelayStream: (stream, preface) => this.#relays.accept(stream, preface),
      onCrowded: () => this.#warnRarely('turning connections away: too many have not yet said who they are'),
      onShownOut: ({ address }, why) => this.#log?.say(`a stranger from ${coarseAddress(address)} is gone: ${why}`),
    });
    this.#server = net.createServer(
      // Half-open, since relay streams carry the end of one direction across.
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_AFTER_MS },
      (socket) => this.#door.enter(socket),
    );
  }

  /** Resolves with the address it listens on. Throws UserError. */
  async start(): Promise<Endpoint> {
    this.#bars.prepare();
    await this.#directory.read();
    const bound = await listenOn(this.#server, this.#options.where);
    const { secondAddress = null, warn } = this.#options;
    this.#reflexive = new ReflexiveService({ where: bound, secondAddress, warn });
    await this.#reflexive.start();
    // Without a descriptor for it a connection is lost, but no other.
    this.#server.on('error', () => this.#warnRarely('connections could not be accepted: too many files are open'));
    this.#directory.watch();
    this.#sweeps = setInterval(() => this.#dropTheSilent(), SWEEP_EVERY_MS);
    return bound;
  }

  /** Says goodbye to every peer and releases everything, within little more than a second. */
  async stop(reason: string): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    clearInterval(this.#sweeps);
    for (const timer of this.#wakes) clearTimeout(timer);
    this.#door.stop();
    this.#relays.stop();
    for (const control of this.#controls.values()) {
      control.send({ kind: 'goodbye', reason });
      control.finish();
    }
    await Promise.all([closed, this.#directory.stop(), this.#reflexive?.stop()]);
  }

  /** Where UDP probes are answered. */
  get udpPorts(): number[] {
    return this.#reflexive?.ports ?? [];
  }

  /** The ids that are admitted now. */
  keyIds(): string[] {
    return this.#directory.ids();
  }

  #admit(proven: Proven, reflexive: Endpoint): void {
    this.#admissions += 1;
    const connection = this.#admissions;
    const { peerId, wantedId } = proven.registration;
    let probeKey: Buffer | null = null;
    const control = new ControlConnection(proven, {
      onMeet: () => this.#handle({ kind: 'meet', connection }),
      onWantProbes: () => {
        // One at a time: who asks without end must not fill our memory with keys.
        if (probeKey) this.#reflexive?.forget(probeKey);
        probeKey = this.#offerProbes(control);
      },
      onSuccession: (statement) => this.#follow(statement, control, peerId),
      onEnd: (why) => this.#end(connection, peerId, why),
    });
    this.#controls.set(connection, control);
    const followsSuccessions = this.#options.followSuccessions === true;
    control.send({ kind: 'admitted', reflexive, nowMs: Date.now(), followsSuccessions });
    this.#log?.say(`${coarseId(peerId)} is here, from ${coarseAddress(reflexive.address)}`);
    this.#handle({ kind: 'joined', registration: { connection, id: peerId, wantedId, reflexive } });
    control.start();
  }

  #offerProbes(control: ControlConnection): Buffer {
    const probeKey = randomBytes(PROBE_KEY_BYTES);
    this.#reflexive?.expect(probeKey);
    control.send({ kind: 'probes', probes: this.#reflexive?.probes ?? [], probeKey });
    return probeKey;
  }

  /** Only the owner of a key may name who comes after it, and only where the operator wants that. */
  #follow(statement: string, control: ControlConnection, peerId: string): void {
    if (!this.#options.followSuccessions) throw new ProtocolError('a succession where none is followed');
    const succession = orProtocolError(() => readSuccession(Buffer.from(statement, 'hex')));
    if (succession.former.id !== peerId) throw new ProtocolError('a succession of a key that is not the sender’s');
    this.#directory
      .follow(succession)
      .catch((error) => {
        this.#warnRarely(`a succession cannot be written to ${this.#options.certs}: ${describeSystemError(error)}`);
        return false;
      })
      .then((admitted) => control.send({ kind: 'succeeded', admitted }));
  }

  #end(connection: number, id: string, why: Error): void {
    this.#log?.say(`${coarseId(id)} is gone: ${why.message}`);
    this.#controls.delete(connection);
    this.#handle({ kind: 'left', connection });
  }

  /** One event's effects are done before the next one's, even if doing them (a send that fails) causes that event. */
  #handle(event: RegistryEvent): void {
    this.#effects.push(...this.#registry.handle(event, performance.now()));
    if (this.#performing) return;
    this.#performing = true;
    try {
      for (let effect = this.#effects.shift(); effect; effect = this.#effects.shift()) this.#perform(effect);
    } finally {
      this.#performing = false;
    }
  }

  #perform(effect: RegistryEffect): void {
    switch (effect.kind) {
      case 'send':
        if (effect.message.kind === 'introduction') this.#reflexive?.expect(effect.message.probeKey);
        this.#controls.get(effect.connection)?.send(effect.message);
        break;
      case 'close':
        this.#finish(effect.connection);
        break;
      case 'openRelay':
        this.#log?.say(`introducing ${effect.ids.map(coarseId).join(' and ')}`);
        this.#relays.expect(effect.ids, effect.token, effect.quota);
        break;
      case 'wake':
        this.#wakeLater(effect.event);
        break;
    }
  }

  #wakeLater(event: Extract<RegistryEvent, { kind: 'woke' }>): void {
    const timer = setTimeout(() => {
      this.#wakes.delete(timer);
      this.#handle(event);
    }, event.atMs - performance.now());
    this.#wakes.add(timer);
  }

  #finish(connection: number): void {
    this.#controls.get(connection)?.finish();
    this.#controls.delete(connection);
  }

  #keysChanged(removed: string[]): void {
    for (const id of removed) {
      for (const connection of this.#registry.connectionsOf(id)) {
        this.#controls.get(connection)?.send({ kind: 'goodbye', reason: 'this key is not admitted any more' });
        this.#finish(connection);
        this.#handle({ kind: 'left', connection });
      }
      this.#relays.cut(id);
    }
    this.#options.onKeys(this.#directory.size);
  }

  #dropTheSilent(): void {
    for (const control of this.#controls.values()) control.dropIfSilent();
  }

  #warnRarely(text: string): void {
    const now = performance.now();
    if (now - (this.#warnedAt.get(text) ?? Number.NEGATIVE_INFINITY) < WARN_EVERY_MS) return;
    this.#warnedAt.set(text, now);
    this.#options.warn(text);
  }
}

function orProtocolError(read: () => Succession): Succession {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidSuccessionError) throw new ProtocolError(error.message, { cause: error });
    throw error;
  }
}
