import { ExitCode, UserError } from '../../protocol/errors.js';
import { sanitise, sanitiseLine } from '../../protocol/sanitise.js';

export interface PromptTerminal {
  input: NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  output: NodeJS.WritableStream & { isTTY?: boolean };
}

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const CTRL_U = '\x15';

/** The question goes to stderr: stdout may be a pipe, and may belong to JSON mode. */
const TERMINAL: PromptTerminal = { input: process.stdin, output: process.stderr };

/** A prompt for a passphrase, or null where nobody could see it or answer. */
export function secretPrompt(terminal = TERMINAL): ((question: string) => Promise<string>) | null {
  if (terminal.input.isTTY !== true || terminal.output.isTTY !== true) return null;
  return (question) => askSecret(question, terminal);
}

/** A question to be answered with yes or no, or null where nobody could see it or answer. */
export function yesNoPrompt(terminal = TERMINAL): ((question: string) => Promise<boolean>) | null {
  if (terminal.input.isTTY !== true || terminal.output.isTTY !== true) return null;
  return async (question) => /^\s*y(es)?\s*$/i.test(await askLine(question, terminal));
}

/** Asks for one line; '' at the input's end. */
function askLine(question: string, { input, output }: PromptTerminal): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const finish = (line: string) => {
      input.off('data', onData).off('end', onEnd);
      input.pause();
      resolve(line);
    };
    const onEnd = () => finish('');
    const onData = (chunk: Buffer | string) => {
      text += chunk.toString();
      const [line = '', ...more] = text.split('\n');
      if (more.length > 0) finish(line);
    };
    output.write(sanitise(question));
    input.on('data', onData).on('end', onEnd);
    input.resume();
  });
}

/**
 * Asks for one line without showing it. Rejects with a UserError on Ctrl-C, or Ctrl-D on an empty line. The terminal is
 * given back as it was in every case.
 */
function askSecret(question: string, { input, output }: PromptTerminal): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    const decoder = new TextDecoder();
    const finish = (settle: () => void, rest = '') => {
      input.off('data', onData).off('end', onEnd);
      input.setRawMode?.(false);
      input.pause();
      // What was pasted after the line belongs to whoever reads next.
      if (rest !== '') input.unshift(Buffer.from(rest));
      output.write('\n');
      settle();
    };
    const giveUp = () => finish(() => reject(new UserError(ExitCode.usage, 'no passphrase was given', 'Try again.')));
    const onEnd = () => giveUp();
    const onData = (chunk: Buffer | string) => {
      const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      for (let at = 0; at < text.length; at++) {
        const letter = text.charAt(at);
        if (letter === '\r' || letter === '\n') return finish(() => resolve(line), text.slice(at + 1));
        if (letter === CTRL_C || (letter === CTRL_D && line === '')) return giveUp();
        if (letter === '\b' || letter === '\x7f') line = [...line].slice(0, -1).join('');
        else if (letter === CTRL_U) line = '';
        else if (letter >= ' ') line += letter;
      }
    };
    // In this order: who answers the moment that the question appears is not shown either.
    input.setRawMode?.(true);
    output.write(sanitiseLine(question));
    input.on('data', onData).on('end', onEnd);
    input.resume();
  });
}
