import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Everything that this bench started and that has not ended. */
const children = new Set<ChildProcess>();

export const HERE = import.meta.dirname;

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A process of the bench, killed with it. */
export class Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #name: string;
  #stdout = '';
  #stderr = '';

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.#name = [command, ...args].join(' ');
    this.child = spawn(command, args, { stdio: 'pipe', ...options });
    children.add(this.child);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.child.stdin?.on('error', () => {});
    this.ended = once(this.child, 'close').then(([code]) => {
      children.delete(this.child);
      return { code, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  /** Resolves when it has ended with 0. */
  async done(): Promise<Ended> {
    const ended = await this.ended;
    if (ended.code !== 0) throw new Error(`${this.#name} ended with ${ended.code}: ${ended.stderr.slice(-2000)}`);
    return ended;
  }

  /** What the pattern finds in stdout or stderr, past or to come. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
        if (found) resolve(found);
      };
      this.child.stdout?.on('data', look);
      this.child.stderr?.on('data', look);
      this.ended.then(({ stderr }) => reject(new Error(`${this.#name} ended early: ${stderr.slice(-2000)}`)));
      look();
    });
  }

  /** The most memory that it ever held, in MiB, as the kernel counted it. Asked while it lives. */
  peakMemoryMiB(): number {
    return this.#memoryMiB('VmHWM');
  }

  memoryMiB(): number {
    return this.#memoryMiB('VmRSS');
  }

  #memoryMiB(what: string): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const [, kib] = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status) ?? [];
    return Number(kib) / 1024;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.ended;
  }
}

/** One of this bench's own programs, in a process of its own. */
export function startHelper(file: string, args: readonly string[], options: SpawnOptions = {}): Started {
  return new Started(process.execPath, [join(HERE, file), ...args], options);
}

export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
}
