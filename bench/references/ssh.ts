import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Started } from '../process.js';
import { freePort, hasProgram, untilListening } from './local.js';

const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'];

/** An sshd of its own on loopback, with keys of its own. */
export class Ssh {
  readonly #sshd: Started;
  readonly #port: number;
  readonly #folder: string;

  private constructor(sshd: Started, port: number, folder: string) {
    this.#sshd = sshd;
    this.#port = port;
    this.#folder = folder;
  }

  /** Why there is none here; null if there is. */
  static whyNot(): string | null {
    if (!SSHD.some(existsSync)) return 'sshd is not installed (Debian: openssh-server)';
    return hasProgram('scp') ? null : 'scp is not installed (Debian: openssh-client)';
  }

  static async start(): Promise<Ssh> {
    const folder = mkdtempSync(join(tmpdir(), 'ssh-'));
    for (const key of ['host', 'user']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)]);
    }
    const port = await freePort();
    const settings = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(folder, 'host')}`,
      `AuthorizedKeysFile ${join(folder, 'user.pub')}`,
      'PermitRootLogin prohibit-password',
      'StrictModes no',
      'UsePAM no',
      'PidFile none',
      'Subsystem sftp internal-sftp',
    ];
    writeFileSync(join(folder, 'sshd_config'), `${settings.join('\n')}\n`);
    const program = SSHD.find(existsSync) ?? '';
    // Where sshd, as root, puts its processes before they know who comes.
    if (process.getuid?.() === 0) execFileSync('mkdir', ['-p', '/run/sshd']);
    const sshd = new Started(program, ['-D', '-e', '-f', join(folder, 'sshd_config')]);
    await untilListening(port);
    return new Ssh(sshd, port, folder);
  }

  scp(from: string, to: string, ...options: string[]): Started {
    return new Started('scp', [...options, ...this.#options('-P'), from, this.#remote(to)]);
  }

  rsync(from: string, to: string): Started {
    return new Started('rsync', ['-a', '-e', ['ssh', ...this.#options('-p')].join(' '), from, this.#remote(to)]);
  }

  async stop(): Promise<void> {
    await this.#sshd.stop();
  }

  #remote(path: string): string {
    return `${userInfo().username}@127.0.0.1:${path}`;
  }

  #options(port: '-p' | '-P'): string[] {
    const settings = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'IdentitiesOnly=yes',
    ];
    const key = ['-i', join(this.#folder, 'user')];
    return ['-F', '/dev/null', port, String(this.#port), ...key, ...settings.flatMap((setting) => ['-o', setting])];
  }
}
