import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PeerConversation } from '../../src/peer/peer-conversation.js';
import type { SessionEvent } from '../../src/peer/session/events.js';
import { Journal } from '../../src/peer/session/journal/journal.js';
import { type Identity, shortId } from '../../src/protocol/identity.js';
import { noise, sha256 } from '../peer/files/helpers/tree.js';
import { certificatesFor } from '../support/credentials.js';
import { newIdentity, publicPem } from '../support/keys.js';
import { start, stopAll } from '../support/program.js';

/** Seven people, each of whom talks to all the others at once: 21 pairs, 42 conversations, one real mediator. */
const PEOPLE = 7;
const MESSAGES = 20;
const FILE = noise(300_000);

let folder: string;
const conversations: PeerConversation[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turbo-beep-house-'));
  mkdirSync(join(folder, 'certs'));
});

afterEach(async () => {
  await Promise.all(conversations.splice(0).map((conversation) => conversation.quit()));
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
});

/** One person's end of one pair. */
class End {
  readonly events: SessionEvent[] = [];
  readonly conversation: PeerConversation;
  readonly #into: string;
  readonly #waiting = new Set<() => void>();

  constructor(identity: Identity, peer: Identity, port: number) {
    const directory = join(folder, `${shortId(identity.id)}-${shortId(peer.id)}`);
    this.#into = join(directory, 'into');
    mkdirSync(directory, { mode: 0o700 });
    this.conversation = new PeerConversation({
      host: '127.0.0.1',
      port,
      own: { line: [identity], successions: [] },
      certificates: certificatesFor(identity),
      peer,
      card: { id: peer.id, name: 'peer', verified: false },
      journal: Journal.open({ directory, privateKey: identity.privateKey }),
      allowed: ['tcp-direct', 'relay'],
      hostCandidates: true,
      portMapping: false,
      defaultInto: this.#into,
      whenShown: (then) => then(),
      pipeCommand: '',
      judgeMediator: () => {},
      saveVerified: () => {},
      onFatal: (error) => this.#take({ event: 'error', code: error.exitCode, message: error.message, hint: '' }),
    });
    conversations.push(this.conversation);
    this.conversation.subscribe((event) => this.#take(event));
    this.conversation.start();
  }

  heard(): string[] {
    return this.events.flatMap((event) => (event.event === 'message' && event.from === 'peer' ? [event.text] : []));
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
      this.#waiting.clear();
    }
  }

  #take(event: SessionEvent): void {
    this.events.push(event);
    if (event.event === 'offer') void this.conversation.accept(event.transfer, this.#into);
    for (const wake of this.#waiting) wake();
  }
}

it('twenty-one pairs at one mediator talk and send files at once, and none hears another', async () => {
  const people = Array.from({ length: PEOPLE }, () => newIdentity());
  for (const { id, privateKey } of people) writeFileSync(join(folder, 'certs', `${id}.pem`), publicPem(privateKey));
  const places = ['--certs', join(folder, 'certs'), '--home', join(folder, 'mediator')];
  const mediator = start(['--host', '127.0.0.1', '--port', '0', '--json', ...places], { program: 'p2p-server' });
  const port = Number((await mediator.next('listening')).port);
  const file = join(folder, 'file.bin');
  writeFileSync(file, FILE);

  const ends = people.flatMap((me) =>
    people.filter((other) => other !== me).map((other) => ({ me, other, end: new End(me, other, port) })),
  );
  const textsOf = (from: Identity, to: Identity) =>
    Array.from({ length: MESSAGES }, (_, number) => `${number}: ${from.id} to ${to.id}`);
  await Promise.all(
    ends.map(async ({ me, other, end }) => {
      for (const text of textsOf(me, other)) end.conversation.message(text);
      if (me.id < other.id) await end.conversation.send([file]);
    }),
  );
  await Promise.all(
    ends.map(async ({ me, other, end }) => {
      await end.until(() => end.heard().length >= MESSAGES);
      await end.until(() => end.events.some(({ event }) => event === 'transferred'));
      expect(end.heard()).toEqual(textsOf(other, me));
      if (me.id > other.id) {
        const landed = end.events.find((event) => event.event === 'file');
        expect(landed).toMatchObject({ bytes: FILE.length, sha256: sha256(FILE) });
      }
      expect(end.events.filter(({ event }) => event === 'error')).toEqual([]);
    }),
  );
  expect(mediator.stderr).toBe('');
});
