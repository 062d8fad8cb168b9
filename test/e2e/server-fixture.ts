import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { Identity } from '../../src/protocol/identity.js';
import type { Introduction } from '../../src/protocol/messages.js';
import { temporaryFolders } from '../support/folder.js';
import { newIdentity, publicPem } from '../support/keys.js';
import { type MediatorClient, registerWith, type Where } from '../support/mediator-client.js';
import { type RunningProgram, start, stopAll } from '../support/program.js';

export const program = 'p2p-server';
export const [ann, bob, cat] = [newIdentity(), newIdentity(), newIdentity()];

/** The real mediator with a home and a directory of its own, and clients that are gone after each test. */
export class ServerFixture {
  home = '';
  certs = '';
  readonly #clients: MediatorClient[] = [];

  constructor() {
    const temporaryFolder = temporaryFolders();
    beforeEach(() => {
      this.home = temporaryFolder();
      this.certs = join(this.home, 'certs');
      mkdirSync(this.certs);
    });
    afterEach(async () => {
      for (const client of this.#clients.splice(0)) client.destroy();
      await stopAll();
    });
  }

  admit(name: string, { privateKey }: Identity): void {
    writeFileSync(join(this.certs, `${name}.pem`), publicPem(privateKey));
  }

  /** What every start here has in common. */
  arguments(...more: string[]): string[] {
    return ['--host', '127.0.0.1', '--port', '0', '--home', this.home, ...more];
  }

  /** Starts it and waits until it listens. */
  async start(...more: string[]): Promise<{ server: RunningProgram; port: number; fingerprint: string }> {
    const server = start(this.arguments('--json', ...more), { program });
    const { port, fingerprint } = await server.next('listening');
    return { server, port: Number(port), fingerprint: String(fingerprint) };
  }

  async register(where: Where, me: Identity, wantedId: string): Promise<MediatorClient> {
    const client = await registerWith(where, me, wantedId);
    this.#clients.push(client);
    return client;
  }

  /** Ann and Bob, each told of the other. */
  async introduce(
    where: Where,
  ): Promise<{ first: MediatorClient; second: MediatorClient; introduction: Introduction }> {
    const first = await this.register(where, ann, bob.id);
    await first.take('waiting');
    const second = await this.register(where, bob, ann.id);
    await second.take('introduction');
    return { first, second, introduction: await first.take('introduction') };
  }
}
