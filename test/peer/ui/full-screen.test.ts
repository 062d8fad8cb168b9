import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { suitsFullScreen } from '../../../src/peer/ui/full-screen.js';
import { type Compiled, compileForNode } from '../../support/compile.js';
import { type FaceInTmux, openFaceInTmux } from '../../support/face-in-tmux.js';
import type { FaceProcessOptions } from '../../support/face-process.js';
import { type TmuxOptions, tmuxMissing } from '../../support/tmux.js';

const LARGE = { columns: 80, rows: 24 };
const SMALL = { columns: 40, rows: 12 };
const SIZES = [
  ['80x24', LARGE],
  ['40x12', SMALL],
] as const;

const CONNECTED: SessionEvent = {
  event: 'connected',
  peer: 'x',
  path: 'tcp-direct',
  remote: '192.0.2.1:5',
  rttMs: 12,
  group: 'X25519MLKEM768',
};

let program: Compiled;
let face: FaceInTmux;

beforeAll(async () => {
  program = await compileForNode('test/support/face-process.ts');
});
afterAll(() => program?.remove());
afterEach(() => face?.close());

async function open(size: TmuxOptions, options: FaceProcessOptions = {}): Promise<FaceInTmux> {
  face = await openFaceInTmux(program.file, size, options);
  await face.terminal.waitFor('› Write to bob');
  // Nobody is attached to this tmux, so it says that nobody looks.
  await face.terminal.sendBytes('\x1b[I');
  return face;
}

function message(text: string, id = text): SessionEvent {
  return { event: 'message', id, from: 'peer', text, at: '2025-03-04T12:30:00Z' };
}

test('a terminal that can do nothing is not given a full screen', () => {
  expect(['xterm', 'linux', 'strange'].map(suitsFullScreen)).toEqual([true, true, true]);
  expect([undefined, '', 'dumb'].map(suitsFullScreen)).toEqual([false, false, false]);
});

describe.skipIf(tmuxMissing)(`in a real terminal${tmuxMissing ? `: ${tmuxMissing}` : ''}`, () => {
  describe.each(SIZES)('of %s', (_name, size) => {
    test('a conversation is shown as it happens', async () => {
      const { terminal, play, called } = await open(size);
      await terminal.waitFor('connecting');
      play(CONNECTED, message('hello there'));
      await terminal.waitFor(/^ bob {2}tcp-direct · 12 ms · /);
      await terminal.waitFor(/12:30 +bob +hello there/);
      expect(await called('read')).toEqual(['hello there']);
      await terminal.type('hi bob');
      await terminal.press('Enter');
      expect(await called('message')).toEqual(['hi bob']);
      await terminal.waitFor(/(✓ +me +hi bob|me hi bob ✓$)/m);
      play({ event: 'delivered', id: 'me-1' });
      await terminal.waitFor(/(✓✓ +me +hi bob|me hi bob ✓✓$)/m);
      play({ event: 'read', id: 'me-1' });
      await terminal.waitFor(/(✓✓• +me +hi bob|me hi bob ✓✓•$)/m);
      play({ event: 'disconnected', reason: 'reset' });
      await terminal.waitFor(/^ bob {2}.*reconnecting/);
      expect((await terminal.rows()).length).toBe(size.rows);
    });

    test('columns stay aligned behind emoji, flags, Chinese and combined characters', async () => {
      const { terminal, play } = await open(size);
      const texts = [
        '12345678|',
        '👨‍👩‍👧‍👦❤️🇩🇪👍🏽|',
        '你好世界|',
        'e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301|',
        '1️⃣☺️✔️🏴󠁧󠁢󠁥󠁮󠁧󠁿|',
      ];
      for (const text of texts) {
        play(message(`${text}${text.length}`));
        await terminal.waitFor(`|${text.length}`);
      }
      const columns: number[] = [];
      for (const text of texts) columns.push(await terminal.columnOf(`|${text.length}`));
      expect(new Set(columns)).toEqual(new Set([columns[0]]));
    });

    test('a hostile message changes nothing but its own lines', async () => {
      const { terminal, play } = await open(size);
      play(message('first'));
      await terminal.waitFor('first');
      const before = await terminal.rows();
      const title = await terminal.ask('pane_title');
      play(
        message(
          '\x1b[2J\x1b[H\x1b]0;owned\x07\x1b[?1049l\x9b31m\x1bc\u202e{red-fg}x{/}\x0e\b\b\r\x1b[1;1Howned',
          'evil',
        ),
      );
      await terminal.waitFor('owned');
      const after = await terminal.rows();
      expect(after[0]).toBe(before[0]);
      expect(after.slice(-2)).toEqual(before.slice(-2));
      expect(after.join('').replaceAll(' ', '')).toContain('{red-fg}x{/}');
      expect(await terminal.ask('pane_title')).toBe(title);
      expect(await terminal.ask('alternate_on')).toBe('1');
      expect(after.filter((row) => row.includes('first')).length).toBe(1);
    });

    test('transfers have a panel while there are any', async () => {
      const { terminal, play, called } = await open(size);
      play(CONNECTED);
      play({ event: 'offer', transfer: 't', files: [{ name: 'photo.png', size: 24_000_000 }] });
      await terminal.waitFor(/^ 1↓ {2}photo.png.*\/accept 1/m);
      await terminal.type('/accept');
      await terminal.press('Enter');
      expect(await called('accept')).toEqual(['t']);
      const progress = {
        event: 'progress',
        transfer: 't',
        name: 'photo.png',
        total: 24_000_000,
        bytesPerSecond: 3e6,
      } as const;
      play({ ...progress, bytes: 12_000_000, etaSeconds: 4 });
      await terminal.waitFor(/^ 1↓ {2}photo.png +█+░+ +50%.*0:04$/m);
      play({ event: 'file', transfer: 't', name: 'photo.png', path: '/in/photo.png', bytes: 24e6, sha256: '' });
      play({ event: 'transferred', transfer: 't' });
      await terminal.waitFor((text) => text.includes('Received /in/photo.png.') && !text.includes('1↓'));
    });

    test('one reads further up with the keys and the wheel, and is told what is new below', async () => {
      const { terminal, play } = await open(size);
      play(...Array.from({ length: 60 }, (_, i) => message(`line ${i}.`)));
      await terminal.waitFor('line 59.');
      await terminal.press('PPage');
      await terminal.waitFor((text) => text.includes('↓ more below') && !text.includes('line 59.'));
      play(message('a new one'));
      await terminal.waitFor('↓ 1 new message below');
      await terminal.press('NPage', 'NPage');
      await terminal.waitFor((text) => text.includes('a new one') && !text.includes('below'));
      await terminal.sendBytes('\x1b[<64;5;5M');
      await terminal.waitFor((text) => text.includes('more below') && !text.includes('a new one'));
      await terminal.sendBytes('\x1b[<65;5;5M');
      await terminal.waitFor('a new one');
      await terminal.press('C-Home');
      await terminal.waitFor('line 0.');
      await terminal.press('Escape');
      await terminal.waitFor('a new one');
    });
  });

  test('it follows the size of its window', async () => {
    const { terminal, play } = await open(LARGE);
    play(CONNECTED, message('a message that needs more than one row on a narrow screen, and 👨‍👩‍👧‍👦 in it'));
    await terminal.waitFor('in it');
    await terminal.type('half a li');
    await terminal.resize(SMALL.columns, SMALL.rows);
    await terminal.waitFor(/^12:30 bob a message/m);
    const small = await terminal.rows();
    expect(small[0]).toMatch(/^ bob {2}tcp-direct · 12 ms/);
    expect(small.at(-1)).toBe('› half a li');
    expect(small.length).toBe(SMALL.rows);
    await terminal.resize(3, 2);
    await terminal.waitFor((text) => !text.includes('half a li'));
    await terminal.resize(LARGE.columns, LARGE.rows);
    await terminal.waitFor(/12:30 {5}bob {2}a message that needs more than one row on a narrow screen, and/);
    expect((await terminal.rows()).at(-1)).toBe('› half a li');
  });

  describe('the input line', () => {
    test('is edited by the character as a person counts them', async () => {
      const { terminal, called } = await open(LARGE);
      await terminal.type('x👨‍👩‍👧‍👦y你e\u0301');
      await terminal.waitFor('y你');
      await terminal.press('Left', 'Left', 'Left', 'BSpace');
      await terminal.type('-');
      await terminal.press('End', 'BSpace', 'Enter');
      expect(await called('message')).toEqual(['x-y你']);
    });

    test('keeps a pasted page as one message, and small', async () => {
      const { terminal, called } = await open(SMALL);
      const page = `first line\n${'many more words\n'.repeat(40)}last line`;
      await terminal.paste(page);
      await terminal.waitFor('last line');
      const shown = (await terminal.rows()).slice(-3);
      expect(shown.join('')).toContain('many more words↵many');
      expect((await terminal.rows()).at(-4)).toMatch(/^─+$/);
      await terminal.press('Enter');
      expect(await called('message')).toEqual([page]);
    });

    test('takes a newline by Alt-Enter and by Ctrl-J', async () => {
      const { terminal, called } = await open(LARGE);
      await terminal.type('one');
      await terminal.press('M-Enter');
      await terminal.type('two');
      await terminal.press('C-j');
      await terminal.type('three');
      await terminal.waitFor('one↵two↵three');
      await terminal.press('Enter');
      expect(await called('message')).toEqual(['one\ntwo\nthree']);
    });

    test('has a history, and word and line deletion', async () => {
      const { terminal, called } = await open(LARGE, {
        script: { history: [{ id: 'h', from: 'me', text: 'from before', at: '2025-03-04T12:00:00Z', state: 'read' }] },
      });
      await terminal.type('one two');
      await terminal.press('Enter', 'Up', 'C-w');
      await terminal.waitFor(/^› one$/m);
      await terminal.press('Up');
      await terminal.waitFor(/^› from before$/m);
      await terminal.press('C-u');
      await terminal.type('fresh');
      await terminal.press('C-a');
      await terminal.type('so ');
      await terminal.press('Enter');
      expect([await called('message'), await called('message')]).toEqual([['one two'], ['so fresh']]);
    });

    test('completes commands and paths', async () => {
      const cwd = await mkdtemp(join(tmpdir(), 'turbo-beep-cwd-'));
      await mkdir(join(cwd, 'my pictures'));
      for (const name of ['a.jpg', 'b.jpg']) await writeFile(join(cwd, 'my pictures', name), '');
      const { terminal, called } = await open(LARGE, { cwd });
      await terminal.type('/sen');
      await terminal.press('Tab');
      await terminal.waitFor(/^› \/send$/m);
      await terminal.type('my');
      await terminal.press('Tab');
      await terminal.waitFor('/send my\\ pictures/');
      await terminal.press('Tab');
      await terminal.waitFor(/^a.jpg {2}b.jpg$/m);
      await terminal.type('b');
      await terminal.press('Tab');
      await terminal.waitFor('b.jpg');
      await terminal.press('Enter');
      expect(await called('send')).toEqual([[join(cwd, 'my pictures/b.jpg')]]);
      await rm(cwd, { recursive: true });
    });

    test('gives back what could not be done', async () => {
      const { terminal } = await open(LARGE);
      await terminal.type('/halp');
      await terminal.press('Enter');
      await terminal.waitFor('Did you mean /help?');
      await terminal.waitFor(/^› \/halp$/m);
    });
  });

  test('who looks elsewhere hears a bell, and finds a line above what is new', async () => {
    const { terminal, play, called } = await open(LARGE);
    const folder = await mkdtemp(join(tmpdir(), 'turbo-beep-bell-'));
    await terminal.record(join(folder, 'bytes'));
    // Once the letter is seen, what was sent with it has been read, too.
    await terminal.sendBytes('x\x1b[O');
    await terminal.waitFor('› x');
    play(message('while away'));
    await terminal.waitFor(/ new ─+\n.*while away/);
    await expect.poll(() => readFile(join(folder, 'bytes'), 'latin1')).toContain('\x07');
    await terminal.sendBytes('\x1b[I');
    expect(await called('read')).toEqual(['while away']);
    await rm(folder, { recursive: true });
  });

  test('Ctrl-L paints over what others have written', async () => {
    const { terminal, play } = await open(LARGE);
    play(message('hello'));
    const before = await terminal.waitFor('hello');
    await writeFile(await terminal.ask('pane_tty'), '\x1b[5;5Hgarbage\x1b[12;1Hmore garbage');
    await terminal.waitFor('more garbage');
    await terminal.press('C-l');
    await terminal.waitFor((text) => text === before);
  });

  test('without colour there is none, and everything is still told apart', async () => {
    const { terminal, play } = await open(LARGE, { colour: false });
    play(CONNECTED, message('hello'), { event: 'error', code: 7, message: 'trouble', hint: '' });
    await terminal.waitFor('Trouble');
    expect(await terminal.colours()).not.toMatch(/\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])[;m]/);
  });

  test.each(['screen-256color', 'tmux-256color', 'xterm-256color', 'xterm', 'linux', 'never-heard-of-it'])(
    'it draws the same with TERM=%s',
    async (term) => {
      const { terminal, play } = await open({ ...LARGE, term });
      play(CONNECTED, message('hello 👨‍👩‍👧‍👦'));
      await terminal.waitFor('hello');
      const rows = await terminal.rows();
      expect(rows[0]).toMatch(/^ bob {2}tcp-direct/);
      expect(rows.at(-2)).toBe('─'.repeat(80));
      expect(rows.join('\n')).not.toMatch(/error|undefined|Setulc/i);
    },
  );

  describe('the terminal is given back as it was', () => {
    let folder: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'turbo-beep-modes-'));
    });
    afterAll(() => rm(folder, { recursive: true }));

    /** The private modes that were set or reset in what a program wrote, and how the last time left them. */
    async function modesLeft(file: string): Promise<Record<string, string>> {
      const bytes = await readFile(file, 'latin1');
      const changes = [...bytes.matchAll(/\x1b\[\?([0-9;]+)([hl])/g)];
      return Object.fromEntries(
        changes.flatMap(([, modes = '', on = '']) => modes.split(';').map((mode) => [mode, on])),
      );
    }

    test.each<[string, (face: FaceInTmux) => unknown, string]>([
      ['at Ctrl-C', ({ terminal }) => terminal.press('C-c'), 'left in good order'],
      [
        'at /quit',
        async ({ terminal }) => {
          await terminal.type('/quit');
          await terminal.press('Enter');
        },
        'left in good order',
      ],
      ['when the program crashes', ({ order }) => order({ crash: true }), 'crashed on purpose'],
      ['when the program exits', ({ order }) => order({ exit: 3 }), 'before'],
      ['at SIGTERM', ({ pid }) => process.kill(pid, 'SIGTERM'), 'Terminated'],
      ['at SIGINT', ({ pid }) => process.kill(pid, 'SIGINT'), 'before'],
      ['at SIGQUIT', ({ pid }) => process.kill(pid, 'SIGQUIT'), 'Quit'],
      ['at SIGHUP', ({ pid }) => process.kill(pid, 'SIGHUP'), 'Hangup'],
    ])('%s', async (name, end, lastWords) => {
      const file = join(folder, name.replaceAll(/\W/g, '-'));
      face = await openFaceInTmux(program.file, LARGE, {}, file);
      const { terminal } = face;
      await terminal.waitFor('› Write to bob');
      await end(face);
      const text = await terminal.waitFor((shown) => shown.includes(lastWords) && !shown.includes('›'));
      expect(text).toMatch(/^before\n/);
      await terminal.type('stty -a | grep -c -e " icanon.* echo "; echo ready');
      await terminal.press('Enter');
      await terminal.waitFor(/^(?:\$ )?1\nready$/m);
      const off = Object.fromEntries(['1', '1000', '1006', '2004', '1004', '1049'].map((mode) => [mode, 'l']));
      expect(await modesLeft(file)).toMatchObject({ ...off, 7: 'h', 25: 'h' });
      expect(await terminal.ask('alternate_on')).toBe('0');
      expect(await terminal.ask('cursor_flag')).toBe('1');
    });

    test('during Ctrl-Z, and taken again afterwards', async () => {
      const { terminal, play, called } = await open(LARGE);
      play(message('before the pause'));
      await terminal.waitFor('before the pause');
      await terminal.type('half a line');
      await terminal.press('C-z');
      await terminal.waitFor((text) => /Stopped/.test(text) && !text.includes('before the pause'));
      expect(await terminal.ask('alternate_on')).toBe('0');
      expect(await terminal.ask('mouse_any_flag')).toBe('0');
      await terminal.type('fg');
      await terminal.press('Enter');
      await terminal.waitFor((text) => text.includes('before the pause') && text.includes('› half a line'));
      expect(await terminal.ask('mouse_any_flag')).toBe('1');
      await terminal.press('Enter');
      expect(await called('message')).toEqual(['half a line']);
    });

    test('after a stop without warning it is taken again', async () => {
      const { terminal, pid } = await open(LARGE);
      await terminal.type('half a line');
      await terminal.waitFor('› half a line');
      process.kill(pid, 'SIGSTOP');
      await terminal.waitFor('Stopped');
      // The shell here leaves the terminal raw, where Enter is no newline.
      await terminal.type('fg');
      await terminal.press('C-j');
      await terminal.waitFor((text) => text.includes('› half a line') && !text.includes('Stopped'));
    });
  });
});
