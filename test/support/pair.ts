import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Identity, parsePrivatePem } from '../../src/protocol/identity.js';
import { type RunningProgram, start } from './program.js';

export type Name = 'alice' | 'bob';
export const OTHER = { alice: 'bob', bob: 'alice' } as const;

/** A folder with the keys of a mediator and two peers, and the real programs started on them. */
export class Pair {
  readonly folder = mkdtempSync(join(tmpdir(), 'turbo-beep-pair-'));
  /** The mediator's. */
  port = 0;
  /** Where the peers look for it, if not there. */
  door = 0;
  #mediatorOptions: string[] = [];

  constructor(bits = 2048) {
    mkdirSync(join(this.folder, 'certs'));
    for (const name of ['alice', 'bob', 'carol', 'mediator']) this.#makeKeys(name, bits);
    for (const name of ['alice', 'bob', 'carol']) this.admit(name);
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  admit(name: string): void {
    copyFileSync(this.path(name, 'public.pem'), this.path('certs', `${name}.pem`));
  }

  /** Starts the mediator; again on the same port after it was stopped. */
  async startMediator(...options: string[]): Promise<RunningProgram> {
    this.#mediatorOptions = options.length > 0 ? options : this.#mediatorOptions;
    const places = ['--certs', this.path('certs'), '--key', this.path('mediator', 'mykeypair.pem')];
    const listen = ['--host', '127.0.0.1', '--port', String(this.port), '--home', this.path('mediator', 'home')];
    const mediator = start(['--json', ...listen, ...places, ...this.#mediatorOptions], { program: 'p2p-server' });
    this.port = Number((await mediator.next('listening')).port);
    return mediator;
  }

  /** Both peers, with the mediator running, connected. */
  async meet(...options: string[]): Promise<Record<Name, RunningProgram>> {
    const people = { alice: this.startPeer('alice', ...options), bob: this.startPeer('bob', ...options) };
    await Promise.all(Object.values(people).map((person) => person.next('connected')));
    return people;
  }

  startPeer(name: Name, ...options: string[]): RunningProgram {
    return start([...this.peerArguments(name), '--json', ...options]);
  }

  peerArguments(name: Name): string[] {
    const home = ['--home', this.path(name, 'home')];
    return [
      '127.0.0.1',
      String(this.door || this.port),
      this.keys(name),
      this.path(OTHER[name], 'public.pem'),
      ...home,
    ];
  }

  /** The same for the commands that name the peer by options. */
  peerOptions(name: Name): string[] {
    const keys = ['--keys', this.keys(name), '--peer', this.path(OTHER[name], 'public.pem')];
    return [
      '--host',
      '127.0.0.1',
      '--port',
      String(this.door || this.port),
      ...keys,
      '--home',
      this.path(name, 'home'),
    ];
  }

  identity(name: string): Identity {
    return parsePrivatePem(readFileSync(this.keys(name), 'utf8'));
  }

  keys(name: string): string {
    return this.path(name, 'mykeypair.pem');
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #makeKeys(name: string, bits: number): void {
    mkdirSync(this.path(name), { mode: 0o700 });
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
    writeFileSync(this.keys(name), pem(privateKey, 'pkcs8'), { mode: 0o600 });
    writeFileSync(this.path(name, 'public.pem'), pem(publicKey, 'spki'));
  }
}

function pem(key: KeyObject, type: 'pkcs8' | 'spki'): string | Buffer {
  return type === 'pkcs8' ? key.export({ type, format: 'pem' }) : key.export({ type, format: 'pem' });
}
