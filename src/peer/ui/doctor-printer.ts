import { ExitCode, UserError } from '../../protocol/errors.js';
import { sanitise, sanitiseLine } from '../../protocol/sanitise.js';
import type { Check, Step } from '../doctor/check.js';
import type { Listener } from '../doctor/doctor.js';
import { countOf, formatDuration } from './format.js';
import { type LiveOutput, LivePrinter } from './live-printer.js';
import { reportError } from './output.js';
import { cutRow, type Row, span, type Tone, wrapRow } from './rows.js';

export interface DoctorPrinterOptions {
  output: LiveOutput;
  errorOutput: LiveOutput;
  colour: boolean;
  invitation: { name: string; command: string; explanation: string } | null;
}

/** What is being done during a step that may take a while. */
const DOING: Record<Step, string> = {
  name: 'Looking up the mediator',
  mediator: 'Connecting to the mediator',
  key: 'Checking keys',
  authentication: 'Checking keys',
  clock: 'Comparing clocks',
  udp: 'Sending UDP to the mediator',
  mapping: 'Comparing ports',
  address: 'Comparing addresses',
  hairpin: 'Sending UDP to yourself',
  ipv6: 'Looking for IPv6',
  'port-mapping': 'Asking the router for a port',
  peer: 'Asking for the other side',
};

const HANG = 2;
const TICK_MS = 1_000;
/** Room for the ^C that a terminal echoes: a line that wraps cannot be taken away. */
const ECHO_COLUMNS = 3;

/** What the doctor finds, for people: a marked line for each step, and below them what is being done now. */
export class DoctorPrinter implements Listener {
  readonly #o: DoctorPrinterOptions;
  readonly #printer: LivePrinter;
  readonly #ticks: NodeJS.Timeout;
  #doing = '';
  #since = performance.now();
  readonly #skipped = new Set<string>();
  #lacking = 0;
  #problem: UserError | null = null;
  #verdict: Row | null = null;
  #invited = false;

  constructor(options: DoctorPrinterOptions) {
    this.#o = options;
    this.#printer = new LivePrinter(options.output, options.colour);
    this.#ticks = setInterval(() => this.#showDoing(), TICK_MS);
    // A terminal or pipe that is gone is no reason to crash.
    options.output.on('error', () => {});
  }

  begin(step: Step): void {
    this.#do(DOING[step]);
  }

  check(check: Check): void {
    const { step, status, message, hint, exitCode } = check;
    if (exitCode !== ExitCode.done) this.#problem ??= new UserError(exitCode, message, hint);
    else if (status === 'failed') this.#lacking += 1;
    if (step === 'peer') this.#verdict = this.#conclude(status === 'ok');
    // What is missing in the beginning is missing in step after step.
    if (status === 'skipped' && this.#skipped.has(message)) return;
    if (status === 'skipped') this.#skipped.add(message);
    const { sign, tone } = markOf(check);
    const says = status === 'skipped' ? 'dim' : 'plain';
    this.#say([span(`${sign} `, tone), span(capitalise(sanitise(message).replaceAll('\n', ' ')), says)]);
    if (hint !== '') this.#say([span(`  ${sanitiseLine(hint)}`, status === 'failed' ? 'plain' : 'dim')]);
  }

  waiting(): void {
    const { invitation } = this.#o;
    if (!invitation) return;
    const name = sanitiseLine(invitation.name);
    if (!this.#invited) {
      this.#invited = true;
      this.#say([span(`Waiting for ${name}. To try every path between you, let ${name} run this now:`, 'strong')]);
      // Whole, however narrow the terminal is: what the program breaks cannot be copied.
      this.#printer.line([span(sanitiseLine(invitation.command), 'link')]);
      this.#say([span(`  (${sanitiseLine(invitation.explanation)})`, 'dim')]);
    }
    this.#verdict = this.#conclude(false);
    this.#do('Waiting (Ctrl-C to leave)');
  }

  trying(): void {
    this.#do(`Trying every path to ${sanitiseLine(this.#o.invitation?.name ?? '')}`);
  }

  stop(): void {
    clearInterval(this.#ticks);
    this.#printer.clear();
    if (this.#verdict) this.#say(this.#verdict);
    const { output, errorOutput } = this.#o;
    // Said already where both are one screen.
    if (this.#problem && !(output.isTTY && errorOutput.isTTY)) reportError(this.#problem, false);
  }

  #conclude(met: boolean): Row {
    if (this.#problem) return [span('It does not work yet: see ✗ above.', 'bad')];
    const done = met ? 'You two can talk.' : 'On this side nothing stands in the way.';
    const better = countOf(this.#lacking, 'thing');
    return [span(done, 'good'), span(this.#lacking > 0 ? ` ${better} could be better: see ! above.` : '')];
  }

  #do(doing: string): void {
    this.#doing = doing;
    this.#since = performance.now();
    this.#showDoing();
  }

  #showDoing(): void {
    const seconds = (performance.now() - this.#since) / 1000;
    const time = seconds >= 1 ? ` ${formatDuration(seconds)}` : '';
    this.#printer.live(cutRow([span(`…${time} ${this.#doing}`, 'dim')], this.#printer.columns - ECHO_COLUMNS));
  }

  #say(row: Row): void {
    for (const each of wrapRow(row, this.#printer.columns, HANG)) this.#printer.line(each);
  }
}

/** They differ by shape too, so that they can be told apart without colour. */
function markOf({ status, exitCode }: Check): { sign: string; tone: Tone } {
  if (status === 'ok') return { sign: '✓', tone: 'good' };
  if (status === 'skipped') return { sign: '·', tone: 'dim' };
  return exitCode === ExitCode.done ? { sign: '!', tone: 'warn' } : { sign: '✗', tone: 'bad' };
}

function capitalise(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
