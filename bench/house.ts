import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Started } from './process.js';
import { Talker } from './talker.js';

export type Name = 'alice' | 'bob';
const OTHER = { alice: 'bob', bob: 'alice' } as const;
/** What keygen makes. */
const KEY_BITS = 3072;

const PROGRAMS = process.env.TURBO_BEEP_DIST ?? '';
export const P2P = join(PROGRAMS, 'peer/main.js');
export const SERVER = join(PROGRAMS, 'server/main.js');

/** A mediator and two people with keys of their own, in a folder on the tmpfs. */
export class House {
  readonly folder = mkdtempSync(join(tmpdir(), 'house-'));
  #port = 0;
  #mediator: Started | null = null;

  constructor() {
    mkdirSync(this.path('certs'));
    for (const name of ['alice', 'bob', 'mediator']) this.#makeKeys(name);
    for (const name of ['alice', 'bob']) copyFileSync(this.path(name, 'public.pem'), this.path('certs', `${name}.pem`));
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  async open(...options: string[]): Promise<this> {
    const args = ['--host', '127.0.0.1', '--port', '0', '--certs', this.path('certs')];
    const own = ['--key', this.path('mediator', 'keys.pem'), '--home', this.path('mediator', 'home')];
    this.#mediator = new Started(process.execPath, [SERVER, '--json', ...args, ...own, ...options]);
    const [, port] = await this.#mediator.says(/"port":(\d+)/);
    this.#port = Number(port);
    return this;
  }

  get mediator(): Started {
    if (!this.#mediator) throw new Error('the house is not open');
    return this.#mediator;
  }

  /** `p2p COMMAND …` as this person would type it, to the other. */
  start(name: Name, command: readonly string[], options: readonly string[] = []): Started {
    return new Started(process.execPath, [P2P, ...command, ...this.whom(name), ...options]);
  }

  get port(): number {
    return this.#port;
  }

  /** A session in JSON mode. */
  talk(name: Name, ...options: string[]): Talker {
    return this.#talk(name, this.#port, options);
  }

  /** The same, with the mediator behind another port. */
  talkThrough(name: Name, port: number): Talker {
    return this.#talk(name, port, []);
  }

  #talk(name: Name, port: number, options: readonly string[]): Talker {
    const { host, keys, peer } = this.#words(name);
    const home = ['--home', this.path(name, 'home')];
    return new Talker(process.execPath, [P2P, host, String(port), keys, peer, ...home, '--json', ...options]);
  }

  whom(name: Name): string[] {
    const { host, port, keys, peer } = this.#words(name);
    return ['--host', host, '--port', port, '--keys', keys, '--peer', peer, '--home', this.path(name, 'home')];
  }

  async close(): Promise<void> {
    await this.#mediator?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #words(name: Name) {
    const keys = this.path(name, 'keys.pem');
    return { host: '127.0.0.1', port: String(this.#port), keys, peer: this.path(OTHER[name], 'public.pem') };
  }

  #makeKeys(name: string): void {
    mkdirSync(this.path(name), { mode: 0o700 });
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: KEY_BITS });
    writeFileSync(this.path(name, 'keys.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    writeFileSync(this.path(name, 'public.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  }
}
