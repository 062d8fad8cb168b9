import { spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { verificationWords } from '../../src/protocol/words.js';
import { Pair } from '../support/pair.js';
import { programFile, run, start, stopAll } from '../support/program.js';

const pair = new Pair();
const home = () => ['--home', pair.path('alice', 'home')];
const contact = (...args: string[]) => run(['contact', ...args, ...home()]);

beforeEach(async () => {
  await pair.startMediator();
  await contact('add', 'bob', ...pair.peerOptions('alice').slice(0, -2));
});
afterEach(async () => {
  await contact('unblock', 'bob');
  await stopAll();
});
afterAll(() => pair.remove());

/** Alice talks to the contact; Bob names everything on the command line. */
async function meet() {
  const alice = start(['bob', '--json', ...home()]);
  const bob = pair.startPeer('bob');
  await Promise.all([alice.next('connected'), bob.next('connected')]);
  return { alice, bob };
}

test('that the words were compared is remembered, and told to a session that is going on', async () => {
  const { alice } = await meet();
  alice.send({ command: 'status' });
  expect(await alice.next('status')).toMatchObject({ verified: false });

  const shown = await contact('verify', 'bob');
  expect(shown).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
  const words = [pair.identity('alice').id, pair.identity('bob').id]
    .sort()
    .map((id) => verificationWords(id).slice(4).join(' '));
  expect(shown.stdout.indexOf(words[0] ?? '-')).toBeGreaterThan(0);
  expect(shown.stdout.indexOf(words[1] ?? '-')).toBeGreaterThan(shown.stdout.indexOf(words[0] ?? '-'));

  expect(await contact('verify', 'bob', '--yes')).toMatchObject({ code: 0 });
  expect(await alice.next('verified')).toMatchObject({ verified: true });
  expect((await contact('list')).stdout).toContain('verified');

  alice.send({ command: 'verify', verified: false });
  expect(await alice.next('verified')).toMatchObject({ verified: false });
  expect((await contact('show', 'bob')).stdout).toMatch(/^verified +no$/m);
});

/** What the program printed for a person to type, as their shell takes it. */
function type(command: string) {
  const program = `${process.execPath} ${programFile('p2p')}`;
  return spawnSync('sh', ['-c', command.replace(/^p2p/, program)], { encoding: 'utf8' });
}

test('what a hint says to run can be run as it stands, whatever the names', async () => {
  const home = ['--home', pair.path("alice's other home")];
  const added = await run(['contact', 'add', 'my friend', ...pair.peerOptions('alice').slice(0, -2), ...home]);
  expect(added.stdout).toContain("To talk: p2p 'my friend' --home");
  const { stdout } = await run(['contact', 'block', 'my friend', ...home]);
  const undo = /To undo: (.*)/.exec(stdout)?.[1] ?? '';
  expect(type(undo)).toMatchObject({ status: 0, stdout: 'my friend is no longer blocked.\n' });
  const { stderr } = await run(['contact', 'show', 'my fiend', ...home]);
  const list = /See: (.*)/.exec(stderr)?.[1] ?? '';
  expect(type(list).stdout).toMatch(/^my friend /);
});

test('who is open already is said by name, and what can be done there instead', async () => {
  const alice = start(['bob', '--json', ...home()]);
  // It has the journal by then.
  await alice.next('waiting');
  const refused = { code: 2, stderr: expect.stringContaining('another p2p on this machine has bob open') };
  const file = pair.path('a note.txt');
  writeFileSync(file, 'x');
  const sent = await run(['send', file, '--to', 'bob', ...home()]);
  expect(sent).toMatchObject(refused);
  expect(sent.stderr).toContain(`/send ${file.replace(' ', '\\ ')}\n`);
  for (const command of [['bob'], ['pipe', '--to', 'bob'], ['history', 'bob']]) {
    expect(await run([...command, ...home()])).toMatchObject(refused);
  }
});

describe('a contact that is blocked', () => {
  test('is cut off at once, by a word and not by silence, and nothing goes either way any more', async () => {
    const { alice, bob } = await meet();
    alice.send({ command: 'message', text: 'before' });
    await bob.next('message');
    expect(await contact('block', 'bob')).toMatchObject({ code: 0 });
    const blockedAt = Date.now();
    expect(await bob.next('disconnected')).toMatchObject({ reason: 'the peer left' });
    // A second at most where the machine is not busy; a link that had only gone silent would last 14.
    expect(Date.now() - blockedAt).toBeLessThan(10_000);
    expect(await alice.exited).toMatchObject({ code: 2 });
    expect(alice.events.find(({ event }) => event === 'error')).toMatchObject({
      code: 2,
      message: 'bob is blocked',
      hint: `To talk again: p2p contact unblock bob --home ${pair.path('alice', 'home')}`,
    });
    bob.send({ command: 'message', text: 'after' });
    await bob.next(({ event, from }) => event === 'message' && from === 'me');
    expect(bob.events.filter(({ event }) => event === 'connected')).toHaveLength(1);
    const { stdout } = await run(['history', 'bob', '--json', ...home()]);
    expect(stdout).toContain('before');
    expect(stdout).not.toContain('after');
  });

  test('is refused by name and by key, also with another key of one’s own, until it is unblocked', async () => {
    expect(await contact('block', 'bob')).toMatchObject({ code: 0, stdout: expect.stringContaining('unblock bob') });
    expect((await contact('list')).stdout).toMatch(/^bob .*blocked$/m);
    const refused = { code: 2, stderr: expect.stringContaining('is blocked') };
    expect(await run(['bob', '--json', ...home()])).toMatchObject(refused);
    expect(await run(['receive', '--into', pair.path('in'), ...pair.peerOptions('alice')])).toMatchObject(refused);
    const [host = '', port = '', , peer = ''] = pair.peerArguments('alice');
    expect(await run([host, port, pair.keys('carol'), peer, ...home()])).toMatchObject(refused);
    expect(await contact('unblock', 'bob')).toMatchObject({ code: 0 });
    await meet();
  });
});

describe('a changed key is refused, loudly, with the old and the new words:', () => {
  const words = (name: string) => verificationWords(pair.identity(name).id).join(' ');
  const bothKeys = async (finished: ReturnType<typeof run>) => {
    const { code, stderr } = await finished;
    expect(code).toBe(2);
    for (const name of ['bob', 'carol']) {
      expect(stderr).toContain(words(name));
      expect(stderr).toContain(pair.identity(name).id);
    }
  };

  test('a contact that is added again with another key', async () => {
    const options = pair.peerOptions('alice');
    await bothKeys(run(['contact', 'add', 'bob', ...options, '--peer', pair.path('carol', 'public.pem')]));
    expect((await contact('show', 'bob')).stdout).toContain(words('bob'));
  });

  test('a file that holds another key than when it was used before', async () => {
    const file = pair.path('friend.pem');
    const [host = '', port = '', keys = ''] = pair.peerArguments('bob');
    const command = [host, port, keys, file, '--timeout', '0.5', '--home', pair.path('bob', 'other-home')];
    copyFileSync(pair.path('alice', 'public.pem'), file);
    expect((await run(command)).code).toBe(5);
    copyFileSync(pair.path('carol', 'public.pem'), file);
    const { code, stderr } = await run(command);
    expect(code).toBe(2);
    for (const name of ['alice', 'carol']) expect(stderr).toContain(words(name));
  });

  test('a saved contact goes on with the key that was saved, and says that its file has another', async () => {
    const file = pair.path('bob', 'public.pem');
    copyFileSync(file, pair.path('kept.pem'));
    copyFileSync(pair.path('carol', 'public.pem'), file);
    const { code, stderr } = await run(['bob', '--timeout', '0.5', ...home()]);
    copyFileSync(pair.path('kept.pem'), file);
    expect(code).toBe(5);
    for (const name of ['bob', 'carol']) expect(stderr).toContain(words(name));
    expect(stderr).not.toContain('\ufffd');
  });
});
