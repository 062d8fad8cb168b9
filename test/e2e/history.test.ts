import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { journalFolders } from '../support/journal-folders.js';
import { Pair } from '../support/pair.js';
import { run, stopAll } from '../support/program.js';
import { rawPages } from '../support/raw-pages.js';

const pair = new Pair();
const pairOptions = () => pair.peerOptions('alice');

beforeAll(async () => {
  await pair.startMediator();
  const { alice, bob } = await pair.meet();
  writeFileSync(pair.path('bassoon.txt'), 'low notes');
  alice.send({ command: 'message', text: 'a xylophone\nin two lines \u001b[31mred' });
  await alice.next('delivered');
  alice.send({ command: 'send', paths: [pair.path('bassoon.txt')] });
  const offer = await bob.next('offer');
  bob.send({ command: 'accept', transfer: offer.transfer, into: pair.path('in') });
  await alice.next('transferred');
  bob.send({ command: 'message', text: 'thank you' });
  await alice.next((event) => event.event === 'message' && event.from === 'peer');
  const busy = await run(['history', ...pairOptions()]);
  expect(busy).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/another p2p .* has .* open\nEnd it first/),
  });
  for (const person of [alice, bob]) await person.stop('SIGTERM');
  await stopAll();
});

afterEach(stopAll);
afterAll(() => pair.remove());

describe('p2p history, with no mediator and no p2p running,', () => {
  test('prints messages and files in order, with times and names, and nothing that a terminal obeys', async () => {
    const { code, stdout } = await run(['history', ...pairOptions()], { env: { TZ: 'UTC' } });
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    const name = /^\d+ \w+ \d{4} \d\d:\d\d +[0-9a-f]{16} {2}thank you$/;
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^\d+ \w+ \d{4} \d\d:\d\d +me {16}a xylophone$/);
    expect(lines[1]).toMatch(/^ {37}in two lines \ufffd\[31mred$/);
    expect(lines[2]).toMatch(/ me {16}bassoon\.txt {2}\(9 bytes; sent\)$/);
    expect(lines[3]).toMatch(name);
  });

  test('prints JSON, one entry a line, and only what a search finds', async () => {
    const { stdout } = await run(['history', ...pairOptions(), '--json']);
    const entries = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(entries.map(({ kind, from, state }) => [kind, from, state])).toEqual([
      ['message', 'me', 'delivered'],
      ['transfer', 'me', 'transferred'],
      ['message', 'peer', 'received'],
    ]);
    const found = await run(['history', ...pairOptions(), '--search', 'Bassoon']);
    expect(found.stdout.trimEnd().split('\n')).toHaveLength(1);
    const nothing = await run(['history', ...pairOptions(), '--search', 'zebra']);
    expect(nothing).toMatchObject({ code: 0, stdout: '', stderr: 'Nothing found for “zebra”.\n' });
  });

  test('exports to a new file of its owner alone, and never over another', async () => {
    const path = pair.path('out.jsonl');
    const first = await run(['history', ...pairOptions(), '--export', path]);
    expect(first).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('not encrypted') });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(
      readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toHaveLength(3);
    const before = readFileSync(path, 'utf8');
    const second = await run(['history', ...pairOptions(), '--export', path, '--erase', '--yes']);
    expect(second).toMatchObject({ code: 2, stderr: expect.stringContaining('already there') });
    expect(readFileSync(path, 'utf8')).toBe(before);
    const plain = await run(['history', ...pairOptions(), '--export', pair.path('out.txt')]);
    expect(plain.code).toBe(0);
    expect(readFileSync(pair.path('out.txt'), 'utf8')).toContain('thank you\n');
  });

  test('is of no use to another key, and knows whom there is nothing about', async () => {
    const options = [
      '--keys',
      pair.keys('carol'),
      '--peer',
      pair.path('bob', 'public.pem'),
      '--home',
      pair.path('alice', 'home'),
    ];
    expect(await run(['history', ...options])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no history'),
    });
  });

  test('erases only when told so, and then no page of the database has a word of it', async () => {
    const [folder = ''] = journalFolders(pair.path('alice', 'home'));
    const { privateKey } = pair.identity('alice');
    const unasked = await run(['history', ...pairOptions(), '--erase']);
    expect(unasked).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--yes') });
    expect(rawPages(folder, privateKey).includes('xylophone')).toBe(true);

    expect(await run(['history', ...pairOptions(), '--erase', '--yes'])).toMatchObject({ code: 0 });
    const pages = rawPages(folder, privateKey);
    expect(['xylophone', 'bassoon', 'thank'].filter((word) => pages.includes(word))).toEqual([]);
    expect(await run(['history', ...pairOptions()])).toMatchObject({ code: 0, stdout: '' });
  });
});
