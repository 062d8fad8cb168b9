import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The real programs as processes, for tests: `scripts/test` builds dist/ before it runs them. */

export type Program = 'p2p' | 'p2p-server';

export interface ProgramOptions {
  program?: Program;
  /** Added to an environment that has little more than PATH. */
  env?: Record<string, string>;
  cwd?: string;
}

/** One line of JSON mode. */
export type ProgramEvent = { event: string } & Record<string, unknown>;

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Finished extends Exit {
  stdout: string;
  stderr: string;
}

export const DIST = process.env.TURBO_BEEP_DIST ?? resolve(import.meta.dirname, '../../dist');
const FILES = { p2p: 'peer/main.js', 'p2p-server': 'server/main.js' } as const;
const NEXT_TIMEOUT_MS = 30_000;

/** Nobody's own settings: for programs that are started without --home. */
const configHome = mkdtempSync(join(tmpdir(), 'turbo-beep-test-config-'));
process.once('exit', () => rmSync(configHome, { recursive: true, force: true }));

const running = new Set<RunningProgram>();

/** What `node` runs. */
export function programFile(program: Program): string {
  return join(DIST, FILES[program]);
}

/** Starts a program that talks JSON lines. */
export function start(args: string[], options: ProgramOptions = {}): RunningProgram {
  return new RunningProgram(args, options);
}

/** Runs a program to its end. `input`: all of its stdin. */
export async function run(args: string[], options: ProgramOptions & { input?: string } = {}): Promise<Finished> {
  const program = start(args, options);
  program.endInput(options.input);
  const exit = await program.exited;
  return { ...exit, stdout: program.stdout, stderr: program.stderr };
}

/** For afterEach: kills what a test started and did not stop, and waits until it is gone. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((program) => program.stop()));
}

export class RunningProgram {
  /** Every event so far, in order, whether taken or not. */
  readonly events: ProgramEvent[] = [];
  /** Resolves when the process is gone and all of its output is here. */
  readonly exited: Promise<Exit>;
  readonly #name: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #untaken: ProgramEvent[] = [];
  readonly #waiting = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  #exit: Exit | null = null;

  constructor(args: string[], { program = 'p2p', env = {}, cwd }: ProgramOptions) {
    const file = programFile(program);
    if (!existsSync(file)) throw new Error(`${file} is missing: run npm run build first`);
    this.#name = [program, ...args].join(' ');
    this.#process = spawn(process.execPath, [file, ...args], {
      env: { PATH: process.env.PATH ?? '', XDG_CONFIG_HOME: configHome, HOME: configHome, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    running.add(this);
    const { stdout, stderr, stdin } = this.#process;
    let line = '';
    stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      // By hand: node:readline would also end a line at U+2028, which JSON leaves inside its strings.
      const lines = (line + text).split('\n');
      line = lines.pop() ?? '';
      for (const each of lines) this.#take(each);
    });
    stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    // A program may end without having read what it was told.
    stdin.on('error', () => {});
    this.exited = new Promise((settle, fail) => {
      this.#process.once('error', fail).once('close', (code, signal) => {
        running.delete(this);
        this.#exit = { code, signal };
        this.#wake();
        settle(this.#exit);
      });
    });
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`${this.#name} did not start`);
    return pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /**
   * Waits for the first event, among those not yet taken, that has this name or satisfies the predicate, and takes it.
   * What came before it stays for later calls, and what came before the call counts. Rejects when the process ends or
   * the time is over first.
   */
  next(wanted: string | ((event: ProgramEvent) => boolean), timeoutMs = NEXT_TIMEOUT_MS): Promise<ProgramEvent> {
    const matches = typeof wanted === 'string' ? (event: ProgramEvent) => event.event === wanted : wanted;
    return new Promise((settle, fail) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = () => {
        const at = this.#untaken.findIndex(matches);
        const [event] = at === -1 ? [] : this.#untaken.splice(at, 1);
        if (event === undefined && this.#exit === null) return;
        end();
        if (event !== undefined) settle(event);
        else fail(this.#explain(wanted, `ended with ${JSON.stringify(this.#exit)}`));
      };
      const timer = setTimeout(() => {
        end();
        fail(this.#explain(wanted, `said nothing of it for ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  /** One command of JSON mode. */
  send(command: Record<string, unknown>): void {
    this.#process.stdin.write(`${JSON.stringify(command)}\n`);
  }

  write(text: string): void {
    this.#process.stdin.write(text);
  }

  endInput(text = ''): void {
    this.#process.stdin.end(text);
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#process.kill(signal);
  }

  /** Ends the process (kill -9 unless told) and waits until it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    if (this.#exit === null) this.kill(signal);
    return this.exited;
  }

  #take(line: string): void {
    const event = parseEvent(line);
    if (event === null) return;
    this.events.push(event);
    this.#untaken.push(event);
    this.#wake();
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  #explain(wanted: unknown, what: string): Error {
    const last = this.events.slice(-10).map((event) => JSON.stringify(event));
    const told = [`last events:`, ...last, 'stderr:', this.#stderr].join('\n');
    return new Error(`waiting for ${String(wanted)}: ${this.#name} ${what}\n${told}`);
  }
}

function parseEvent(line: string): ProgramEvent | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'event' in value ? (value as ProgramEvent) : null;
  } catch {
    return null;
  }
}
