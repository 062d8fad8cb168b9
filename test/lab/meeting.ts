import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Lab, MEDIATOR_ADDRESS } from './net.js';

/** The built programs. */
const DIST = resolve(process.env.TURBO_BEEP_DIST ?? 'dist');
const PORT = 54700;
const EVENT_DEADLINE_MS = 20_000;
const MOST_LINES = 60;

export interface LabEvent {
  event: string;
  path?: string;
  remote?: string;
  /** Since both peers were started. */
  atMs: number;
  [field: string]: unknown;
}

export interface MeetingSetup {
  /** `--paths` of both. */
  paths?: string;
  /** Options of both peers. */
  peerOptions?: readonly string[];
  /** Where the peers look for the mediator, instead of its IPv4 address. */
  mediatorAddress?: string | Record<'a' | 'b', string>;
  /** Options of p2p-server. */
  mediatorOptions?: readonly string[];
  /** How much later than a b is started. */
  skewMs?: number;
}

/** The real programs in a lab: a mediator, and two peers that look for each other. */
export class LabMeeting {
  readonly #lab: Lab;
  readonly #folder = mkdtempSync(join(tmpdir(), 'turbo-beep-lab-'));
  readonly #setup: MeetingSetup;
  readonly events = { a: [] as LabEvent[], b: [] as LabEvent[] };
  readonly errors: string[] = [];
  readonly #listeners = new Set<() => void>();
  readonly children: Partial<Record<'a' | 'b' | 'm', ChildProcess>> = {};
  #startedAt = 0;

  constructor(lab: Lab, setup: MeetingSetup = {}) {
    this.#lab = lab;
    this.#setup = setup;
    mkdirSync(join(this.#folder, 'certs'));
    for (const side of ['a', 'b'] as const) {
      writeFileSync(this.#keys(side), PEER_KEYS[side].privateKey, { mode: 0o600 });
      writeFileSync(join(this.#folder, 'certs', `${side}.pem`), PEER_KEYS[side].publicKey);
    }
  }

  /** Resolves when both peers have been started. */
  async start(): Promise<void> {
    const { mediatorOptions = [], skewMs = 0 } = this.#setup;
    const certs = ['--certs', join(this.#folder, 'certs')];
    await this.#startMediator([...certs, ...mediatorOptions]);
    this.#startedAt = performance.now();
    this.#startPeer('a', 'b');
    if (skewMs > 0) await new Promise((wake) => setTimeout(wake, skewMs));
    this.#startPeer('b', 'a');
  }

  /** Since both peers were started. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Starts a peer again that has ended. */
  restart(side: 'a' | 'b'): void {
    this.#startPeer(side, side === 'a' ? 'b' : 'a');
  }

  command(side: 'a' | 'b', command: object): void {
    this.children[side]?.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  /** The first event of this side that fits, past or to come; null if none came in time. */
  async event(
    side: 'a' | 'b',
    fits: (event: LabEvent) => boolean,
    deadlineMs = EVENT_DEADLINE_MS,
  ): Promise<LabEvent | null> {
    await this.#until(() => this.events[side].some(fits), deadlineMs);
    return this.events[side].find(fits) ?? null;
  }

  /** The path of this side's session now; null if it has no link. */
  pathOf(side: 'a' | 'b'): string | null {
    const last = this.events[side].findLast(({ event }) => ['connected', 'path', 'disconnected'].includes(event));
    return last?.path ?? null;
  }

  /** Whether both sides come to be on such a path at the same time. */
  isOn(path: RegExp, deadlineMs = EVENT_DEADLINE_MS): Promise<boolean> {
    return this.#until(() => [this.pathOf('a'), this.pathOf('b')].every((now) => now && path.test(now)), deadlineMs);
  }

  /** False: it did not come to that in time. Looks again at each event. */
  async #until(holds: () => boolean, deadlineMs: number): Promise<boolean> {
    return await new Promise((resolveWith) => {
      const look = () => {
        if (holds()) done(true);
      };
      const done = (held: boolean) => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        resolveWith(held);
      };
      const timer = setTimeout(() => done(false), deadlineMs);
      this.#listeners.add(look);
      look();
    });
  }

  /** When both sides talk over this path; null if they do not in time. */
  async reaches(path: string, deadlineMs?: number): Promise<number | null> {
    const fits = (event: LabEvent) => (event.event === 'connected' || event.event === 'path') && event.path === path;
    const both = await Promise.all([this.event('a', fits, deadlineMs), this.event('b', fits, deadlineMs)]);
    const [one, other] = both;
    return one && other ? Math.max(one.atMs, other.atMs) : null;
  }

  /** One message each way arrives, and is known to have arrived. Throws if not. */
  async talk(deadlineMs?: number): Promise<void> {
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const text = `from ${from} at ${this.elapsedMs}`;
      this.command(from, { command: 'message', text });
      const heard = await this.event(to, (event) => event.text === text && event.from === 'peer', deadlineMs);
      if (!heard) throw new Error(`what ${from} said did not arrive\n${this.account()}`);
    }
  }

  /** Each time that a session went from a link to none. */
  breaks(): LabEvent[] {
    return [...this.events.a, ...this.events.b].filter(({ event }) => event === 'disconnected');
  }

  /** What happened, for those who must find out why. */
  account(): string {
    const lines = (['a', 'b'] as const).flatMap((side) =>
      this.events[side].map(({ atMs, ...event }) => ({
        atMs,
        line: `${Math.round(atMs)} ${side} ${JSON.stringify(event)}`,
      })),
    );
    lines.sort((one, other) => one.atMs - other.atMs);
    return [...lines.slice(-MOST_LINES).map(({ line }) => line), ...this.errors].join('\n');
  }

  async stop(): Promise<void> {
    const children = Object.values(this.children);
    await Promise.all(
      children.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return null;
        const exited = new Promise((done) => child.once('exit', done));
        child.kill('SIGTERM');
        return exited;
      }),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startMediator(options: readonly string[]): Promise<void> {
    const home = [
      '--home',
      join(this.#folder, 'm'),
      '--host',
      this.#setup.mediatorAddress ? '::' : '0.0.0.0',
      '--port',
      String(PORT),
      '--json',
    ];
    const mediator = this.#lab.spawn('m', process.execPath, [join(DIST, 'server/main.js'), ...options, ...home]);
    this.children.m = mediator;
    this.#collectErrors('m', mediator);
    const lines = createInterface({ input: mediator.stdout as NodeJS.ReadableStream });
    await new Promise<void>((listening, failed) => {
      lines.once('line', () => listening());
      mediator.once('exit', () => failed(new Error(`the mediator did not start: ${this.errors.join('')}`)));
    });
  }

  #startPeer(side: 'a' | 'b', other: 'a' | 'b'): void {
    const { mediatorAddress = MEDIATOR_ADDRESS } = this.#setup;
    const mediator = typeof mediatorAddress === 'string' ? mediatorAddress : mediatorAddress[side];
    const whom = [mediator, String(PORT), this.#keys(side), join(this.#folder, 'certs', `${other}.pem`)];
    const { paths, peerOptions = [] } = this.#setup;
    const options = [
      '--json',
      '--home',
      join(this.#folder, side),
      ...(paths ? ['--paths', paths] : []),
      ...peerOptions,
    ];
    const peer = this.#lab.spawn(side, process.execPath, [join(DIST, 'peer/main.js'), ...whom, ...options]);
    this.children[side] = peer;
    this.#collectErrors(side, peer);
    createInterface({ input: peer.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.events[side].push({ ...JSON.parse(line), atMs: performance.now() - this.#startedAt });
      for (const listener of [...this.#listeners]) listener();
    });
  }

  #collectErrors(who: string, child: ChildProcess): void {
    child.stderr?.on('data', (text) => this.errors.push(`${who}: ${text}`));
  }

  #keys(side: 'a' | 'b'): string {
    return join(this.#folder, `${side}-keys.pem`);
  }
}

const PEER_KEYS = { a: newKeys(), b: newKeys() };

function newKeys(): { privateKey: string; publicKey: string } {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}
