import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { journalFolders } from '../support/journal-folders.js';
import { Pair } from '../support/pair.js';
import { type ProgramEvent, run, stopAll } from '../support/program.js';
import { rawPages } from '../support/raw-pages.js';

const pair = new Pair();

beforeEach(async () => {
  await pair.startMediator();
});
afterEach(stopAll);
afterAll(() => pair.remove());

const disappearing = (what: string, by: string) => (event: ProgramEvent) =>
  event.event === 'disappearing' && event.what === what && event.by === by;

test('messages disappear after the time that both agreed on: on both sides, from the files, and only those', async () => {
  const { alice, bob } = await pair.meet();
  alice.send({ command: 'message', text: 'marimba before' });
  alice.send({ command: 'disappear', seconds: 2 });
  expect(await bob.next(disappearing('proposed', 'peer'))).toMatchObject({ seconds: 2 });
  alice.send({ command: 'message', text: 'glockenspiel in between' });
  await bob.next(({ event, text }) => event === 'message' && text === 'glockenspiel in between');
  bob.send({ command: 'disappear', agree: true });
  expect(await alice.next(disappearing('agreed', 'peer'))).toMatchObject({ seconds: 2 });

  alice.send({ command: 'message', text: 'xylophone of alice' });
  bob.send({ command: 'message', text: 'bassoon of bob' });
  for (const person of [alice, bob]) {
    const first = await person.next('disappeared');
    const second = await person.next('disappeared');
    expect(new Set([first.id, second.id]).size).toBe(2);
    person.send({ command: 'status' });
    expect(await person.next('status')).toMatchObject({ disappearing: { seconds: 2, proposed: null, asked: null } });
  }
  bob.send({ command: 'disappear', seconds: 0 });
  await alice.next(disappearing('proposed', 'peer'));
  alice.send({ command: 'disappear', agree: true });
  await bob.next(disappearing('agreed', 'peer'));
  bob.send({ command: 'message', text: 'marimba after' });
  await alice.next(({ event, text }) => event === 'message' && text === 'marimba after');

  for (const [name, person] of [
    ['alice', alice],
    ['bob', bob],
  ] as const) {
    await person.stop('SIGTERM');
    const [folder = ''] = journalFolders(pair.path(name, 'home'));
    const pages = rawPages(folder, pair.identity(name).privateKey);
    const words = ['marimba', 'glockenspiel', 'xylophone', 'bassoon'];
    expect(words.filter((word) => pages.includes(word))).toEqual(['marimba', 'glockenspiel']);
    const { stdout } = await run(['history', ...pair.peerOptions(name), '--json']);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).text),
    ).toEqual(['marimba before', 'glockenspiel in between', 'marimba after']);
  }
});

test('what cannot be agreed on is said', async () => {
  const alice = pair.startPeer('alice');
  alice.send({ command: 'disappear', seconds: 3600 });
  expect(await alice.next('error')).toMatchObject({
    code: 2,
    message: expect.stringContaining('only while you are connected'),
  });
  alice.send({ command: 'disappear', agree: true });
  expect(await alice.next('error')).toMatchObject({
    code: 2,
    message: expect.stringContaining('nothing was proposed'),
  });
  const bob = pair.startPeer('bob');
  await Promise.all([alice.next('connected'), bob.next('connected')]);
  alice.send({ command: 'disappear', seconds: 0.5 });
  expect(await alice.next('error')).toMatchObject({
    code: 2,
    message: expect.stringContaining('a second to 366 days'),
  });
  alice.send({ command: 'disappear', seconds: 3600 });
  await bob.next(disappearing('proposed', 'peer'));
  bob.send({ command: 'disappear', agree: false });
  await alice.next(disappearing('refused', 'peer'));
  alice.send({ command: 'status' });
  expect(await alice.next('status')).toMatchObject({ disappearing: { seconds: 0, proposed: null, asked: null } });
});
