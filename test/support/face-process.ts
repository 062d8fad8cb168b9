/**
 * A program that shows a scripted conversation in the full screen, for tests that need a real process:
 * `node face-process.js SOCKET OPTIONS`. Over the socket it tells its pid and what the face calls, and is told events,
 * as JSON lines.
 */
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { openFullScreen } from '../../src/peer/ui/full-screen.js';
import { tolerateClosedTerminals } from '../../src/shared/closed-terminals.js';
import { type Script, ScriptedConversation } from './scripted-conversation.js';

export interface FaceProcessOptions {
  script?: Script;
  colour?: boolean;
  home?: string;
  cwd?: string;
}

tolerateClosedTerminals();
const [socketPath = '', optionsText = '{}'] = process.argv.slice(2);
const options = JSON.parse(optionsText) as FaceProcessOptions;
const conversation = new ScriptedConversation(options.script);
const socket = createConnection(socketPath);
socket.write(`${JSON.stringify({ pid: process.pid })}\n`);
conversation.onCall = (call) => socket.write(`${JSON.stringify(call)}\n`);

const face = openFullScreen({
  conversation,
  input: process.stdin,
  output: process.stdout,
  term: process.env.TERM,
  colour: options.colour ?? true,
  home: options.home ?? '/home/ann',
  cwd: options.cwd ?? process.cwd(),
});

createInterface(socket).on('line', (line) => {
  const order = JSON.parse(line) as { event?: string; crash?: true; exit?: number };
  if (order.crash) throw new Error('crashed on purpose');
  if (order.exit !== undefined) process.exit(order.exit);
  conversation.emit(order as Parameters<ScriptedConversation['emit']>[0]);
});

await face.done;
await conversation.quit();
face.stop();
socket.end();
process.stdout.write('left in good order\n');
