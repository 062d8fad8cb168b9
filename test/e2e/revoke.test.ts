import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { declareSuccession, successionPem } from '../../src/protocol/succession.js';
import { newIdentity, publicPem } from '../support/keys.js';
import { connectTo, handshake, secure } from '../support/mediator-client.js';
import { Pair } from '../support/pair.js';
import { run, stopAll } from '../support/program.js';

let pair: Pair;

beforeEach(() => {
  pair = new Pair();
});

afterEach(async () => {
  await stopAll();
  pair.remove();
});

function revoke(id: string, ...options: string[]) {
  return run(['revoke', id, '--home', pair.path('mediator', 'home'), ...options], { program: 'p2p-server' });
}

async function verdictOn(me: ReturnType<Pair['identity']>): Promise<string> {
  const mediator = await secure(await connectTo({ port: pair.port }));
  return (await handshake(mediator, me, pair.identity('carol').id)).kind;
}

describe('a revoked key', () => {
  it('loses its relayed session within seconds, and is not let in again, also by a mediator started anew', async () => {
    let mediator = await pair.startMediator();
    const { alice, bob } = await pair.meet('--paths', 'relay');
    const { id } = pair.identity('alice');
    expect(await revoke(id)).toMatchObject({ code: 0, stdout: expect.stringContaining(`Revoked ${id}`) });
    await Promise.all([bob.next('disconnected', 5_000), alice.next('disconnected', 5_000)]);
    expect(await alice.exited).toMatchObject({ code: 4 });
    expect(await verdictOn(pair.identity('bob'))).toBe('admitted');

    await mediator.stop('SIGKILL');
    mediator = await pair.startMediator();
    expect(await verdictOn(pair.identity('alice'))).toBe('refused');

    expect((await revoke(id, '--undo')).code).toBe(0);
    await mediator.next((event) => event.event === 'keys' && event.keys === 3);
    expect(await verdictOn(pair.identity('alice'))).toBe('admitted');
  });

  it('keeps a direct link, which is the two people’s own', async () => {
    await pair.startMediator();
    const { alice, bob } = await pair.meet();
    await bob.next((event) => event.event === 'path' && event.path === 'tcp-direct');
    await revoke(pair.identity('alice').id);
    await alice.next('offline');
    alice.send({ command: 'message', text: 'still here' });
    expect(await bob.next('message')).toMatchObject({ text: 'still here' });
  });

  it('takes its successors with it, also those whose files lie there without a word of it', async () => {
    const [old, next] = [pair.identity('alice'), newIdentity()];
    const succession = successionPem(declareSuccession(old, next, 1));
    mkdirSync(pair.path('certs', 'new'));
    writeFileSync(pair.path('certs', 'new', 'public.pem'), publicPem(next.privateKey) + succession);
    writeFileSync(pair.path('certs', 'bare.pem'), publicPem(next.privateKey));
    const mediator = await pair.startMediator();
    expect(await verdictOn(next)).toBe('admitted');
    await revoke(old.id);
    await mediator.next((event) => event.event === 'keys' && event.keys === 2);
    expect(await verdictOn(next)).toBe('refused');
    expect(await verdictOn(old)).toBe('refused');
  });
});

it.each([
  ['its first 16 digits', (id: string) => [id.slice(0, 16)], 'not a whole id'],
  ['something that is no id', () => ['alice'], 'not a whole id'],
  ['nothing', () => [], 'name one id'],
  ['two ids', (id: string) => [id, id], 'name one id'],
  ['a home without a mediator', (id: string) => [id, '--home', '/nonexistent/home'], 'no mediator has run'],
])('revoking %s is a usage error that changes nothing', async (_, words, message) => {
  await pair.startMediator();
  const args = ['revoke', '--home', pair.path('mediator', 'home'), ...words(pair.identity('alice').id)];
  const { code, stdout, stderr } = await run(args, { program: 'p2p-server' });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
  expect(await verdictOn(pair.identity('alice'))).toBe('admitted');
});
