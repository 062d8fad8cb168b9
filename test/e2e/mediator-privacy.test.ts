import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsePrivatePem } from '../../src/protocol/identity.js';
import { connectTo, openRelay, RefusedByMediator } from '../support/mediator-client.js';
import { type RunningProgram, start } from '../support/program.js';
import { closed } from '../support/streams.js';
import { ann, bob, cat, program, ServerFixture } from './server-fixture.js';

const fixture = new ServerFixture();
/** Where the peers come from; the mediator itself listens on another address. */
const PEERS_ADDRESS = '127.9.8.7';

/** Everything that happens to a mediator: friends meet and use the relay, strangers come, rules are broken, keys go. */
async function liveThrough(port: number): Promise<void> {
  const where = { port, localAddress: PEERS_ADDRESS };
  const { first, second, introduction } = await fixture.introduce(where);
  const relay = await openRelay(where, introduction);
  relay[0].write('words');
  relay[0].destroy();
  relay[1].resume();
  await Promise.all(relay.map(closed));
  await expect(fixture.register(where, cat, ann.id)).rejects.toThrow(RefusedByMediator);
  for (const bytes of [randomBytes(600), Buffer.from('GET / HTTP/1.1'), Buffer.from('160301020001000100', 'hex')]) {
    const stranger = await connectTo(where);
    stranger.end(bytes);
    stranger.resume();
    await closed(stranger);
  }
  const breaking = await fixture.register(where, bob, cat.id);
  breaking.secured.write(Buffer.from([9, 255, 255, 255, 255]));
  await breaking.closed;
  const replacing = await fixture.register(where, ann, bob.id);
  await first.take('replaced');
  second.destroy();
  rmSync(join(fixture.certs, 'annabel-lee.pem'));
  await replacing.closed;
}

/** What was printed must not hold this much of any id, nor an address or a name. */
function tracesIn(text: string, digits: number): string[] {
  const ids = [ann, bob, cat].flatMap(({ id }) =>
    Array.from({ length: 64 - digits }, (_, at) => id.slice(at, at + digits)),
  );
  return [...ids, PEERS_ADDRESS, 'annabel', 'lincoln'].filter((trace) => text.includes(trace));
}

function everything({ stdout, stderr }: RunningProgram): string {
  return `${stdout}\n${stderr}`;
}

describe.each([
  ['for people', []],
  ['as JSON', ['--json']],
])('what the mediator prints %s', (_, form: string[]) => {
  async function startIn(form: string[], ...more: string[]): Promise<{ server: RunningProgram; port: number }> {
    fixture.admit('annabel-lee', ann);
    fixture.admit('bob-o-lincoln', bob);
    const server = start(fixture.arguments(...form, ...more), { program });
    await expect.poll(() => server.stdout, { timeout: 15_000 }).toMatch(/listening[\s\S]*\n/);
    const [, port] = /(?:127\.0\.0\.1:|"port":)(\d+)/.exec(server.stdout) ?? [];
    return { server, port: Number(port) };
  }

  test('holds no id, address or name of a peer', async () => {
    const { server, port } = await startIn(form);
    await liveThrough(port);
    await server.stop('SIGTERM');
    // Its own id is no secret, and some digits of another may be in it by chance.
    const { id } = parsePrivatePem(readFileSync(join(fixture.home, 'mediator-key.pem'), 'utf8'));
    expect(tracesIn(everything(server).replaceAll(id, ''), 6)).toEqual([]);
    expect(server.stderr).toBe('');
  });

  test('at debug tells ids and addresses cut short, on stderr', async () => {
    const { server, port } = await startIn(form, '--log-level', 'debug');
    await liveThrough(port);
    await server.stop('SIGTERM');
    const { stderr } = server;
    expect(stderr).toContain(`debug: ${ann.id.slice(0, 4)} is here, from 127.9.8.0/24\n`);
    expect(stderr).toMatch(new RegExp(`debug: introducing (${ann.id.slice(0, 4)}|${bob.id.slice(0, 4)}) and `));
    expect(stderr).toContain('a stranger from 127.9.8.0/24 is gone: its key is not admitted\n');
    expect(stderr).toMatch(new RegExp(`debug: ${bob.id.slice(0, 4)} is gone: frame of unknown type 9`));
    const { id } = parsePrivatePem(readFileSync(join(fixture.home, 'mediator-key.pem'), 'utf8'));
    expect(tracesIn(everything(server).replaceAll(id, ''), 6)).toEqual([]);
  });
});

test('a warning about a file of its operator names the file, but no id that is in its name', async () => {
  writeFileSync(join(fixture.certs, `annabel-${ann.id}.pem`), 'no key');
  const { server } = await fixture.start();
  const warned = `annabel-${ann.id.slice(0, 4)}*.pem admits nobody: `;
  await expect.poll(() => server.stderr, { timeout: 10_000 }).toContain(warned);
  expect(server.stderr).not.toContain(ann.id.slice(0, 6));
});

test('it keeps nothing on disk but its key and what its operator put there', async () => {
  fixture.admit('annabel-lee', ann);
  fixture.admit('bob-o-lincoln', bob);
  const { server, port } = await fixture.start();
  await liveThrough(port);
  await server.stop('SIGTERM');
  const kept = readdirSync(fixture.home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
  expect(kept.toSorted()).toEqual(['bob-o-lincoln.pem', 'mediator-key.pem']);
});
