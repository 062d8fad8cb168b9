import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LivePrinter } from '../../../src/peer/ui/live-printer.js';
import { span } from '../../../src/peer/ui/rows.js';
import { linesOf } from '../../../src/peer/ui/wording.js';
import { faceStreams } from '../../support/streams-of-face.js';

function open(terminal: boolean, columns = 20) {
  const { output, written } = faceStreams({ terminal, columns });
  const text = async () => {
    await setImmediate();
    return written();
  };
  return { printer: new LivePrinter(output, false), text };
}

afterEach(() => vi.useRealTimers());

describe('on a terminal', () => {
  test('the changing line is redrawn in place, and stays below what is printed', async () => {
    const { printer, text } = open(true);
    printer.live([span('10%')]);
    printer.live([span('20%')]);
    printer.line([span('hello')]);
    printer.settle();
    printer.settle();
    expect(await text()).toBe('10%\r\x1b[K20%\r\x1b[Khello\n20%\n');
  });

  test('the changing line never wraps', async () => {
    const { printer, text } = open(true, 10);
    printer.live([span('你'.repeat(50))]);
    expect(await text()).toBe('你你你你');
  });

  test('words are broken between each other, and go in', async () => {
    const { printer, text } = open(true, 10);
    printer.words(linesOf([[span('one two three')]], 2));
    expect(await text()).toBe('one two\n  three\n');
  });

  test('a question that was answered is left alone', async () => {
    const { printer, text } = open(true);
    printer.live([span('yes?')]);
    printer.answered();
    printer.line([span('done')]);
    expect(await text()).toBe('yes?done\n');
  });
});

describe('elsewhere', () => {
  test('the changing line comes every five seconds', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { printer, text } = open(false);
    for (let percent = 0; percent < 100; percent += 10) {
      printer.live([span(`${percent}%`)]);
      vi.advanceTimersByTime(1200);
    }
    printer.settle();
    printer.line([span('done')]);
    expect(await text()).toBe('50%\ndone\n');
  });
});
