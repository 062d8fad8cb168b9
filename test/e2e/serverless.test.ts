import { afterEach, beforeEach, expect, it } from 'vitest';
import { Pair } from '../support/pair.js';
import { stopAll } from '../support/program.js';

let pair: Pair;

beforeEach(() => {
  pair = new Pair();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

it('two who have met talk again while the mediator is away, after both were killed', async () => {
  const mediator = await pair.startMediator();
  const first = [pair.startPeer('alice'), pair.startPeer('bob')];
  await Promise.all(
    first.map((program) => program.next((event) => event.event === 'path' && event.path === 'tcp-direct')),
  );
  await mediator.stop('SIGKILL');
  await Promise.all(first.map((program) => program.next('offline')));
  for (const program of first) await program.stop('SIGKILL');

  const [alice, bob] = [pair.startPeer('alice'), pair.startPeer('bob')];
  await Promise.all([alice, bob].map((program) => program.next('connected')));
  alice.send({ command: 'message', text: 'nobody introduced us' });
  expect(await bob.next((event) => event.event === 'message')).toMatchObject({ text: 'nobody introduced us' });
});

it('one who is killed while the mediator is away is found again by the other', async () => {
  const mediator = await pair.startMediator();
  const [alice, bob] = [pair.startPeer('alice'), pair.startPeer('bob')];
  await Promise.all(
    [alice, bob].map((program) => program.next((event) => event.event === 'path' && event.path === 'tcp-direct')),
  );
  await mediator.stop('SIGKILL');
  await bob.next('offline');
  await alice.stop('SIGKILL');
  await bob.next('disconnected');
  bob.send({ command: 'message', text: 'come back' });
  const again = pair.startPeer('alice');
  expect(await again.next('message')).toMatchObject({ text: 'come back' });
});

it('who has never met the other still ends when the mediator cannot be reached', async () => {
  pair.port = 9;
  const alice = pair.startPeer('alice');
  expect(await alice.exited).toMatchObject({ code: 3 });
});
