import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programs } from './demo-stage.mjs';

const PICTURE = fileURLToPath(new URL('beep.svg', import.meta.url));

const GREETING = [
  'Hello! I am Bob, the companion of this demo: another process on your machine, reached as a friend would be.',
  'Write something and I will answer. /help shows what you can do; I am sending you a small picture: try /accept.',
];

/** Leaves the person in Alice's full screen, with a companion at the other end. Resolves to the chat's exit code. */
export async function playChat(stage) {
  const companion = stage.startPeer('bob', 'alice');
  animate(companion, join(stage.folder, 'bob', 'downloads'));
  stage.saveContact('alice', 'bob');
  const chat = spawn(process.execPath, [programs.p2p, 'bob', '--home', stage.home('alice')], {
    env: stage.env,
    stdio: 'inherit',
    cwd: stage.folder,
  });
  // Ctrl-C belongs to the chat, which ends in order; then this does.
  process.on('SIGINT', () => {});
  try {
    return await new Promise((resolve) => chat.once('exit', (code) => resolve(code ?? 1)));
  } finally {
    await companion.stop();
  }
}

function animate(companion, downloads) {
  const say = (text) => companion.command({ command: 'message', text });
  let greeted = false;
  companion.onEvent((event) => {
    switch (event.event) {
      case 'connected':
        if (greeted) return;
        greeted = true;
        for (const line of GREETING) say(line);
        companion.command({ command: 'send', paths: [PICTURE] });
        break;
      case 'message':
        if (event.from === 'me') return;
        companion.command({ command: 'read', id: event.id });
        say(answerTo(event.text));
        break;
      case 'offer':
        companion.command({ command: 'accept', transfer: event.transfer, into: downloads });
        say(`Thank you, I take ${event.files.length === 1 ? 'it' : `all ${event.files.length}`}.`);
        break;
      case 'transferred':
        say('The file is verified and in place.');
        break;
    }
  });
}

function answerTo(text) {
  if (text.trim().endsWith('?')) return 'A good question. I am only a demo; ask a friend, over this very program.';
  if (/\p{Extended_Pictographic}/u.test(text)) return '🙂 Wide letters keep their columns, too: 你好, 👨‍👩‍👧, 🇩🇪.';
  return `You said “${text.length > 200 ? `${text.slice(0, 200)}…` : text}”, and nobody but me could read it.`;
}
