import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { failed, lacking, ok, type Step, skipped } from '../../../src/peer/doctor/check.js';
import { DoctorPrinter } from '../../../src/peer/ui/doctor-printer.js';

const INVITATION = {
  name: 'bob',
  command: 'p2p doctor mediator.example.org 54700 mykeypair.pem public.pem',
  explanation: '…',
};

function open(columns: number, isTTY = true) {
  const output = Object.assign(new PassThrough(), { columns, isTTY });
  let text = '';
  output.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  const printer = new DoctorPrinter({ output, errorOutput: output, colour: false, invitation: INVITATION });
  /** What stands on the screen, without the lines that were taken away. */
  const rows = () => text.split('\n').map((row) => row.split('\r\x1b[K').at(-1) ?? '');
  return { printer, rows };
}

function tell(printer: DoctorPrinter, step: Step, finding: ReturnType<typeof ok>): void {
  printer.begin(step);
  printer.check({ step, ...finding });
}

describe('the doctor on a terminal', () => {
  it('marks what is well, what could be better, what was left out, and what keeps people apart', () => {
    const { printer, rows } = open(80);
    tell(printer, 'name', ok('it has a name'));
    tell(printer, 'udp', lacking('no UDP', 'let it through'));
    tell(printer, 'mapping', skipped('not known'));
    tell(printer, 'peer', failed(5, 'bob cannot be reached', 'allow the relay'));
    printer.stop();
    expect(rows()).toEqual([
      '✓ It has a name',
      '! No UDP',
      '  let it through',
      '· Not known',
      '✗ Bob cannot be reached',
      '  allow the relay',
      'It does not work yet: see ✗ above.',
      '',
    ]);
  });

  it('says once what many steps lack', () => {
    const { printer, rows } = open(80);
    for (const step of ['key', 'clock', 'udp'] as const) tell(printer, step, skipped('no mediator'));
    printer.stop();
    expect(rows()).toEqual(['· No mediator', '']);
  });

  it('fits into 40 columns, but for the command that is to be copied', () => {
    const { printer, rows } = open(40);
    tell(
      printer,
      'name',
      ok('a sentence that is a good deal longer than forty columns', {}, 'and so is this one, by far'),
    );
    printer.begin('peer');
    printer.waiting();
    printer.waiting();
    printer.stop();
    const long = rows().filter((row) => row.length > 40);
    expect(long).toEqual([INVITATION.command]);
    expect(rows().join('\n')).not.toContain('…\n');
    expect(rows().at(-2)).toMatch(/nothing stands in the way/);
  });

  it('obeys nothing that comes from outside', () => {
    const { printer, rows } = open(80);
    tell(printer, 'key', failed(4, 'shows\nanother \x1b[2J key', '\x1b]0;owned\x07'));
    printer.stop();
    expect(rows().slice(0, 2)).toEqual(['✗ Shows another \ufffd[2J key', '  \ufffd]0;owned\ufffd']);
  });
});
