import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** undefined if tmux is here; otherwise why the tests that need it are skipped. */
export const tmuxMissing = findTmux();

export interface TmuxOptions {
  columns: number;
  rows: number;
  term?: string;
  env?: Record<string, string>;
}

/** A real terminal of a given size with a shell in it, driven and looked at from outside. */
export class TmuxTerminal {
  static #count = 0;
  readonly #server: string;

  private constructor(server: string) {
    this.#server = server;
  }

  /** Opens a terminal with a plain shell in it; what runs next is typed there. */
  static async open({ columns, rows, term = 'tmux-256color', env = {} }: TmuxOptions): Promise<TmuxTerminal> {
    TmuxTerminal.#count += 1;
    const terminal = new TmuxTerminal(`turbo-beep-test-${process.pid}-${TmuxTerminal.#count}`);
    const variables = Object.entries({ LC_ALL: 'C.UTF-8', TERM: term, PS1: '$ ', TZ: 'UTC', ...env });
    const size = ['-x', String(columns), '-y', String(rows)];
    const settings = variables.map(([name, value]) => `${name}=${value}`);
    // The shell takes its TERM from here; tmux would put in its own.
    await terminal.#tmux('-f', '/dev/null', 'new-session', '-d', ...size, 'env', ...settings, 'sh');
    await terminal.#tmux('set-option', '-g', 'focus-events', 'on');
    return terminal;
  }

  async close(): Promise<void> {
    await this.#tmux('kill-server');
  }

  /** Types text as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', '--', text);
  }

  /** Presses keys by tmux's names: Enter, Up, C-c, M-Left, PPage, … */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', '--', ...keys);
  }

  /** Sends bytes as the terminal would: escape sequences of a mouse, a paste, a focus change. */
  async sendBytes(bytes: string): Promise<void> {
    const hex = Array.from(Buffer.from(bytes), (byte) => byte.toString(16));
    for (let i = 0; i < hex.length; i += 500) await this.#tmux('send-keys', '-H', ...hex.slice(i, i + 500));
  }

  /** Pastes as a terminal does: with brackets around, if the program asked for them. */
  async paste(text: string): Promise<void> {
    await this.#tmux('set-buffer', '--', text);
    await this.#tmux('paste-buffer', '-p', '-r');
  }

  /** From now on, every byte that the program writes goes to a file too. */
  async record(file: string): Promise<void> {
    await this.#tmux('pipe-pane', `cat > '${file}'`);
  }

  /** The column at which tmux itself has a text on the screen: its own idea of every width before it. */
  async columnOf(text: string): Promise<number> {
    await this.#tmux('copy-mode');
    await this.#tmux('send-keys', '-X', 'search-backward-text', text);
    const column = await this.ask('copy_cursor_x');
    await this.#tmux('send-keys', '-X', 'cancel');
    return Number(column);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** The screen's rows, top to bottom, without trailing spaces. */
  async rows(): Promise<string[]> {
    return (await this.#tmux('capture-pane', '-p')).replace(/\n$/, '').split('\n');
  }

  async text(): Promise<string> {
    return (await this.rows()).join('\n');
  }

  /** The screen with its colours as escape sequences, and its spaces at the ends of rows. */
  async colours(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-e', '-N');
  }

  /** A format of tmux's about the pane: cursor_x, alternate_on, mouse_any_flag, … */
  async ask(format: string): Promise<string> {
    return (await this.#tmux('display-message', '-p', `#{${format}}`)).trim();
  }

  /** Looks until the screen is as wished, and returns it; says what it saw if that never happens. */
  async waitFor(wish: string | RegExp | ((text: string) => boolean), timeoutMs = 20_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const text = await this.text();
      const found =
        typeof wish === 'function' ? wish(text) : typeof wish === 'string' ? text.includes(wish) : wish.test(text);
      if (found) return text;
      if (Date.now() > deadline) throw new Error(`the screen never showed ${wish}:\n${text}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  async #tmux(...args: string[]): Promise<string> {
    return (await run('tmux', ['-L', this.#server, ...args], { maxBuffer: 16 * 1024 * 1024 })).stdout;
  }
}

function findTmux(): string | undefined {
  try {
    execFileSync('tmux', ['-V'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'tmux is not installed';
  }
}
