/** What a full screen borrows of its terminal, and how it is told what happens there. */
export interface GuardedTerminal {
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
  /** Turns the screen on; called again after a pause, when nothing on it can be relied on. */
  enter(): void;
  /** Turns the screen off: the alternate screen left, the cursor shown, everything written out before it returns. */
  leave(): void;
  onInput(bytes: Buffer): void;
  /** The screen is on again after a pause. */
  onResume(): void;
  /** The terminal is gone or the process is told to end. The terminal has been given back. */
  onEnd(): void;
}

// Wheel and buttons with SGR coordinates, bracketed paste, focus events. And no automatic wrapping: a character that the
// terminal finds wider than we do must not push the last column into the next row.
const MODES_ON = '\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1004h\x1b[?7l';
const MODES_OFF = '\x1b[?7h\x1b[?1004l\x1b[?2004l\x1b[?1006l\x1b[?1000l\x1b[0m';
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** Long enough for a stop to take hold; needed only where the kernel ignores it, in a process group without a shell. */
const STOP_IGNORED_MS = 100;

/** Borrows the terminal and gives it back as it was: at the end, at a crash, at a signal, and during Ctrl-Z. */
export class TerminalGuard {
  readonly #terminal: GuardedTerminal;
  #holding = false;
  #stopped = false;

  constructor(terminal: GuardedTerminal) {
    this.#terminal = terminal;
  }

  start(): void {
    const { input, output } = this.#terminal;
    process.on('exit', this.stop);
    for (const signal of ENDING_SIGNALS) process.on(signal, this.#onEndingSignal);
    if (process.platform !== 'win32') process.on('SIGTSTP', this.#onStopSignal).on('SIGCONT', this.#resume);
    input.on('data', this.#terminal.onInput).on('end', this.#onGone).on('error', this.#onGone);
    output.on('error', this.#onGone);
    this.#take();
  }

  /** Whether the screen may be written on. */
  get holding(): boolean {
    return this.#holding;
  }

  readonly stop = (): void => {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#giveBack();
    const { input, output } = this.#terminal;
    process.off('exit', this.stop).off('SIGTSTP', this.#onStopSignal).off('SIGCONT', this.#resume);
    for (const signal of ENDING_SIGNALS) process.off(signal, this.#onEndingSignal);
    input.off('data', this.#terminal.onInput).off('end', this.#onGone);
    // The listeners for errors stay: a terminal that is gone may tell so late, and nobody is left who cares.
    input.on('error', () => {}).off('error', this.#onGone);
    output.on('error', () => {}).off('error', this.#onGone);
  };

  /** Ctrl-Z: in raw mode the kernel sends no signal, so we do, to the whole job as it would. */
  suspend(): void {
    if (process.platform !== 'win32') process.kill(0, 'SIGTSTP');
  }

  #take(): void {
    if (this.#holding || this.#stopped) return;
    this.#holding = true;
    const { input, output, enter } = this.#terminal;
    setRawMode(input, true);
    input.resume();
    enter();
    output.write(MODES_ON);
  }

  #giveBack(): void {
    if (!this.#holding) return;
    this.#holding = false;
    const { input, output, leave } = this.#terminal;
    if (output.writable) output.write(MODES_OFF);
    leave();
    setRawMode(input, false);
    input.pause();
  }

  readonly #onStopSignal = (): void => {
    this.#giveBack();
    // Without our listener the signal does what it does to every program.
    process.off('SIGTSTP', this.#onStopSignal);
    process.kill(process.pid, 'SIGTSTP');
    setTimeout(() => {
      if (!this.#holding) this.#resume();
    }, STOP_IGNORED_MS);
  };

  readonly #resume = (): void => {
    if (this.#stopped) return;
    if (!process.listeners('SIGTSTP').includes(this.#onStopSignal)) process.on('SIGTSTP', this.#onStopSignal);
    // After a stop that came without warning (SIGSTOP) the shell has changed the terminal under us.
    this.#giveBack();
    this.#take();
    this.#terminal.onResume();
  };

  readonly #onEndingSignal = (signal: NodeJS.Signals): void => {
    this.stop();
    this.#terminal.onEnd();
    // Nobody else deals with it: let it do what it does.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };

  readonly #onGone = (): void => {
    this.stop();
    this.#terminal.onEnd();
  };
}

function setRawMode(input: NodeJS.ReadStream, raw: boolean): void {
  try {
    if (input.isTTY) input.setRawMode(raw);
  } catch {
    // The terminal was closed: nothing is left to set right.
  }
}
