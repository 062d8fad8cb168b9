import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { SessionEvent } from '../../src/peer/session/events.js';
import type { FaceProcessOptions } from './face-process.js';
import type { Call } from './scripted-conversation.js';
import { type TmuxOptions, TmuxTerminal } from './tmux.js';

/** A face running as a process in a terminal, its conversation in the test's hand. */
export interface FaceInTmux {
  terminal: TmuxTerminal;
  /** Of the process. */
  pid: number;
  /** Plays events to the face, in order. */
  play(...events: SessionEvent[]): void;
  /** Tells the process to crash, or to exit at once. */
  order(order: { crash: true } | { exit: number }): void;
  /** The next call of that method that the face makes, or has made and nobody has asked for. */
  called(method: Call['method']): Promise<unknown[]>;
  close(): Promise<void>;
}

/** `program` is face-process.ts, compiled. Into `recording` goes every byte that it writes. */
export async function openFaceInTmux(
  program: string,
  size: TmuxOptions,
  options: FaceProcessOptions = {},
  recording?: string,
): Promise<FaceInTmux> {
  const folder = await mkdtemp(join(tmpdir(), 'turbo-beep-face-'));
  const socketPath = join(folder, 's');
  const calls: Call[] = [];
  const waiting: { method: Call['method']; resolve: (args: unknown[]) => void }[] = [];
  const server = createServer();
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const terminal = await TmuxTerminal.open(size);
  await terminal.waitFor('$');
  if (recording) await terminal.record(recording);
  await terminal.type(`clear; echo before; node '${program}' ${socketPath} '${JSON.stringify(options)}'`);
  await terminal.press('Enter');
  const socket = await connected;
  const lines = createInterface(socket);
  const [hello] = (await once(lines, 'line')) as [string];
  lines.on('line', (line) => {
    const call = JSON.parse(line) as Call;
    const waiter = waiting.findIndex(({ method }) => method === call.method);
    if (waiter < 0) calls.push(call);
    else waiting.splice(waiter, 1)[0]?.resolve(call.arguments);
  });
  socket.on('error', () => {});
  return {
    terminal,
    pid: (JSON.parse(hello) as { pid: number }).pid,
    play: (...events) => socket.write(events.map((event) => `${JSON.stringify(event)}\n`).join('')),
    order: (order) => socket.write(`${JSON.stringify(order)}\n`),
    called: (method) => {
      const index = calls.findIndex((call) => call.method === method);
      if (index >= 0) return Promise.resolve(calls.splice(index, 1)[0]?.arguments ?? []);
      return new Promise((resolve) => waiting.push({ method, resolve }));
    },
    close: async () => {
      await terminal.close();
      socket.destroy();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}
