import { randomBytes } from 'node:crypto';
import { ID_BYTES } from '../../protocol/constants.js';
import { ExitCode } from '../../protocol/errors.js';
import { selfSignedCertificate } from '../../protocol/forge.js';
import type { Identity, PublicIdentity } from '../../protocol/identity.js';
import type { PathKind } from '../../protocol/messages.js';
import type { MediatorConnection } from '../mediator/connection.js';
import type { Judge } from '../mediator/judge.js';
import { isLoopback } from '../paths/addresses.js';
import { PortMapper } from '../paths/port-mapping/port-mapper.js';
import { askForProbes } from './ask-for-probes.js';
import { type Check, type Finding, lacking, type Step, skipped } from './check.js';
import { examineHairpin } from './examine-hairpin.js';
import { examineAdmission, examineClock, examineName, examinePort, type Reached } from './examine-mediator.js';
import { examineIpv6, examinePortMapping, whyNoPortMapping } from './examine-network.js';
import { examinePeer } from './examine-peer.js';
import {
  addressesSeen,
  examineAddress,
  examineMapping,
  examineUdp,
  isBehindGateway,
  lookFromOutside,
  type UdpView,
} from './examine-udp.js';

export interface Patient {
  host: string;
  port: number;
  identity: Identity;
  /** Null: nobody was named. */
  peer: { identity: PublicIdentity; name: string } | null;
  /** For the peer to come; null: for as long as it takes. */
  timeoutMs: number | null;
  paths: readonly PathKind[];
  hostCandidates: boolean;
  portMapping: boolean;
  /** The mediator's id that is expected; null: whatever comes. */
  pinned: string | null;
  /** Throws a UserError unless this is the mediator's key as pinned. */
  judgeMediator: Judge;
  /** Why the peer must not be met now, though all else can be looked at. */
  whyNotMeet(): Finding | null;
}

export interface Listener {
  begin(step: Step): void;
  check(check: Check): void;
  /** The peer is not there. */
  waiting(): void;
  /** It is, and every path is being tried. */
  trying(): void;
}

const NO_MEDIATOR = 'what needs the mediator was not looked at';
const OLD_MEDIATOR = 'It may be of an older version, or overloaded. Two people meet without UDP too.';

/**
 * Looks at everything that two people need to meet, in an order in which each step stands on those before it. It talks to
 * nobody, opens no journal, and leaves alone whatever session is running: but for the last step it is registered as if it
 * wanted somebody who does not exist.
 */
export class Doctor {
  readonly #p: Patient;
  readonly #listener: Listener;
  readonly #signal: AbortSignal;
  readonly #mapper = new PortMapper();
  #views: UdpView[] = [];
  #connection: MediatorConnection | null = null;
  #hairpin: boolean | null = null;
  #exitCode: ExitCode = ExitCode.done;

  constructor(patient: Patient, listener: Listener, signal: AbortSignal) {
    this.#p = patient;
    this.#listener = listener;
    this.#signal = signal;
  }

  /**
   * Goes through all steps; rejects with the signal's reason if it aborts. Leaves nothing open.
   * @returns what is wrong first, as an exit code
   */
  async examine(): Promise<ExitCode> {
    try {
      await this.#examine();
      return this.#exitCode;
    } finally {
      this.#close();
      await this.#mapper.stop();
    }
  }

  async #examine(): Promise<void> {
    const { addresses, reached } = await this.#reachMediator();
    const connection = reached.length > 0 ? await this.#enter() : await this.#skip('key', 'authentication', 'clock');
    if (connection) await this.#lookFromOutside(connection);
    else await this.#skip('udp', 'mapping', 'address', 'hairpin');
    await this.#step('ipv6', async () => examineIpv6({ addresses, reached }));
    await this.#step('port-mapping', async () => {
      if (addresses.length === 0) return skipped(NO_MEDIATOR);
      const onLoopback = addresses.every(isLoopback);
      const behindGateway = connection === null || isBehindGateway(connection);
      const why = whyNoPortMapping({ wanted: this.#p.portMapping, onLoopback, behindGateway });
      const seenAt = connection ? addressesSeen(connection, this.#views) : [];
      return why ?? examinePortMapping(this.#mapper.map, seenAt, this.#signal);
    });
    this.#close();
    await this.#step('peer', async () => (connection ? this.#meetPeer() : skipped(NO_MEDIATOR)));
  }

  async #reachMediator(): Promise<{ addresses: string[]; reached: Reached[] }> {
    const signal = this.#signal;
    let addresses: string[] = [];
    let reached: Reached[] = [];
    await this.#step('name', async () => {
      const name = await examineName(this.#p, signal);
      addresses = name.addresses;
      return name.finding;
    });
    await this.#step('mediator', async () => {
      if (addresses.length === 0) return skipped(NO_MEDIATOR);
      const port = await examinePort(this.#p, addresses, signal);
      reached = port.reached;
      return port.finding;
    });
    return { addresses, reached };
  }

  async #enter(): Promise<MediatorConnection | null> {
    const { identity, pinned, judgeMediator } = this.#p;
    this.#listener.begin('key');
    const nobody = randomBytes(ID_BYTES).toString('hex');
    const admission = await examineAdmission(this.#p, identity, nobody, pinned, judgeMediator, this.#signal);
    const { connection } = admission;
    this.#connection = connection;
    this.#tell('key', admission.key);
    this.#tell('authentication', admission.authentication);
    if (!connection) return this.#skip('clock');
    this.#tell('clock', examineClock(connection.clock));
    return connection;
  }

  async #lookFromOutside(connection: MediatorConnection): Promise<void> {
    const signal = this.#signal;
    let probeKey: Buffer = Buffer.alloc(0);
    await this.#step('udp', async () => {
      const probes = await askForProbes(connection, signal).catch(() => null);
      if (!probes) return lacking('the mediator does not say where it answers UDP', OLD_MEDIATOR);
      probeKey = probes.probeKey;
      this.#views = await lookFromOutside(connection, probes, signal);
      return examineUdp(probes, this.#views);
    });
    await this.#step('mapping', async () => examineMapping(this.#views));
    await this.#step('address', async () => examineAddress(connection, addressesSeen(connection, this.#views)));
    await this.#step('hairpin', async () => {
      const { finding, hairpin } = await examineHairpin(this.#views, isBehindGateway(connection), probeKey, signal);
      this.#hairpin = hairpin;
      return finding;
    });
  }

  async #meetPeer(): Promise<Finding> {
    const { host, port, identity, peer, timeoutMs, portMapping, judgeMediator, paths, hostCandidates } = this.#p;
    if (!peer) return skipped('nobody was named to be met', 'Name the other person’s public key to try every path.');
    const options = {
      host,
      port,
      identity,
      name: peer.name,
      race: {
        credentials: { identity, certificate: selfSignedCertificate(identity) },
        peer: peer.identity,
        allowed: paths,
        hostCandidates,
      },
      mapPort: portMapping ? this.#mapper.map : null,
      hairpin: this.#hairpin,
      judge: judgeMediator,
      onWaiting: () => this.#listener.waiting(),
      onTrying: () => this.#listener.trying(),
    };
    return this.#p.whyNotMeet() ?? examinePeer(options, timeoutMs, this.#signal);
  }

  async #step(step: Step, examine: () => Promise<Finding>): Promise<Finding> {
    this.#signal.throwIfAborted();
    this.#listener.begin(step);
    const finding = await examine();
    this.#signal.throwIfAborted();
    this.#tell(step, finding);
    return finding;
  }

  async #skip(...steps: Step[]): Promise<null> {
    for (const step of steps) await this.#step(step, async () => skipped(NO_MEDIATOR));
    return null;
  }

  #tell(step: Step, finding: Finding): void {
    if (this.#exitCode === ExitCode.done) this.#exitCode = finding.exitCode;
    this.#listener.check({ step, ...finding });
  }

  #close(): void {
    for (const { socket } of this.#views) socket.release();
    this.#views = [];
    this.#connection?.stream.send({ kind: 'goodbye', reason: 'examined' });
    void this.#connection?.stream.end();
    this.#connection = null;
  }
}
