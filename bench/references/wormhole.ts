import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Started } from '../process.js';
import { freePort, hasProgram, untilListening } from './local.js';

/** Debian's magic-wormhole, with a mailbox server and a transit relay of its own on loopback. */
export class Wormhole {
  readonly #servers: Started[];
  readonly #options: string[];
  #code = 0;

  private constructor(servers: Started[], mailbox: number, relay: number) {
    this.#servers = servers;
    this.#options = ['--relay-url', `ws://127.0.0.1:${mailbox}/v1`, '--transit-helper', `tcp:127.0.0.1:${relay}`];
  }

  /** Why there is none here; null if there is. */
  static whyNot(): string | null {
    if (!hasProgram('wormhole')) return 'wormhole is not installed (Debian: magic-wormhole)';
    if (hasProgram('twist3') && hasMailbox()) return null;
    return 'there is no mailbox server (Debian: python3-magic-wormhole-mailbox-server, magic-wormhole-transit-relay)';
  }

  static async start(): Promise<Wormhole> {
    const cwd = mkdtempSync(join(tmpdir(), 'wormhole-'));
    const [mailbox, relay] = [await freePort(), await freePort()];
    const servers = [
      new Started('twist3', ['wormhole-mailbox', `--port=tcp:${mailbox}:interface=127.0.0.1`], { cwd }),
      new Started('twist3', ['transitrelay', `--port=tcp:${relay}:interface=127.0.0.1`], { cwd }),
    ];
    await Promise.all([untilListening(mailbox), untilListening(relay)]);
    return new Wormhole(servers, mailbox, relay);
  }

  /** Sender and receiver, both with the code already; the receiver waits. */
  receive(into: string): { code: string; receiver: Started } {
    this.#code += 1;
    const code = `${this.#code}-bench-mark`;
    const args = [...this.#options, 'receive', '--accept-file', '--hide-progress', '-o', into, code];
    return { code, receiver: new Started('wormhole', args) };
  }

  send(file: string, code: string): Started {
    return new Started('wormhole', [...this.#options, 'send', '--hide-progress', '--code', code, file]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}

function hasMailbox(): boolean {
  const { stdout } = spawnSync('twist3', ['--help'], { encoding: 'utf8' });
  return stdout.includes('wormhole-mailbox') && stdout.includes('transitrelay');
}
