import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PeerConversation } from '../../../src/peer/peer-conversation.js';
import type { SessionEvent } from '../../../src/peer/session/events.js';
import { Journal } from '../../../src/peer/session/journal/journal.js';
import type { UserError } from '../../../src/protocol/errors.js';
import type { Identity, PublicIdentity } from '../../../src/protocol/identity.js';
import { declareSuccession } from '../../../src/protocol/succession.js';
import { identity, startMediator } from '../../server/fixture.js';
import { certificatesFor } from '../../support/credentials.js';

const [alice, alice2, alice3] = [identity(0), identity(1), identity(2)];
const [bob, bob2] = [identity(3), identity(4)];
const follow = { followSuccessions: true };
const PATIENCE_MS = 30_000;

type EventOf<K extends SessionEvent['event']> = Extract<SessionEvent, { event: K }>;

/** One of the two, who remembers between runs what a home would. */
class Person {
  readonly fatal: UserError[] = [];
  events: SessionEvent[] = [];
  keys: Identity[];
  peer: PublicIdentity;
  readonly #port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'turbo-beep-known-key-'));
  #running: PeerConversation | null = null;

  constructor(port: number, peer: PublicIdentity, ...keys: Identity[]) {
    this.#port = port;
    this.peer = peer;
    this.keys = keys;
    mkdirSync(join(this.#folder, 'journal'), { mode: 0o700 });
    people.push(this);
  }

  start(): void {
    const [known, ...later] = this.keys;
    if (!known) throw new Error('nobody without a key');
    const newest = later.at(-1) ?? known;
    const directory = join(this.#folder, 'journal');
    const formerKeys = this.keys.map(({ privateKey }) => privateKey).reverse();
    this.events = [];
    const conversation = new PeerConversation({
      host: '127.0.0.1',
      port: this.#port,
      own: {
        line: [known, ...later],
        successions: later.map((key, at) => declareSuccession(this.keys[at] ?? known, key, 1)),
      },
      certificates: certificatesFor(known, ...later),
      peer: this.peer,
      card: { id: this.peer.id, name: 'the other', verified: true },
      journal: Journal.open({ directory, privateKey: newest.privateKey, formerKeys }),
      allowed: ['tcp-direct', 'relay'],
      hostCandidates: true,
      portMapping: false,
      defaultInto: this.#folder,
      whenShown: (then) => then(),
      pipeCommand: '',
      judgeMediator: () => {},
      saveVerified: () => {},
      onKnownAs: ({ id }) => {
        this.keys = this.keys.slice(this.keys.findIndex((key) => key.id === id));
      },
      onFollow: (peer) => {
        this.peer = peer;
      },
      onFatal: (error) => this.fatal.push(error),
    });
    conversation.subscribe((event) => this.events.push(event));
    conversation.start();
    this.#running = conversation;
  }

  get conversation(): PeerConversation {
    if (!this.#running) throw new Error('not started');
    return this.#running;
  }

  async stop(): Promise<void> {
    await this.#running?.quit();
    this.#running = null;
  }

  sees<K extends SessionEvent['event']>(
    kind: K,
    fits: (event: EventOf<K>) => boolean = () => true,
  ): Promise<EventOf<K>> {
    const look = () =>
      this.events.find((event): event is EventOf<K> => event.event === kind && fits(event as EventOf<K>));
    return vi.waitUntil(look, { timeout: PATIENCE_MS, interval: 5 });
  }

  async hears(text: string): Promise<void> {
    await this.sees('message', (event) => event.from === 'peer' && event.text === text);
  }

  async clear(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

let people: Person[] = [];
afterEach(async () => {
  await Promise.all(people.map((person) => person.clear()));
  people = [];
});

async function talk(one: Person, other: Person, text: string): Promise<void> {
  one.conversation.message(`${text} 1`);
  await other.hears(`${text} 1`);
  other.conversation.message(`${text} 2`);
  await one.hears(`${text} 2`);
}

describe('somebody who has another key', () => {
  it('is followed in a session that goes on, and talked to by the new key alone', async () => {
    const { port } = await startMediator([alice, bob], follow);
    const [one, other] = [new Person(port, bob, alice, alice2), new Person(port, alice, bob)];
    one.start();
    other.start();
    expect(await other.sees('succession')).toMatchObject({ peer: alice.id, id: alice2.id });
    await talk(one, other, 'before');
    expect(() => other.conversation.follow(alice3.id)).toThrow('asks for no such key');
    other.conversation.follow(alice2.id);
    await one.sees('succeeded', ({ whose, id }) => whose === 'me' && id === alice2.id);
    await talk(one, other, 'after');
    expect(other.conversation.peer()).toMatchObject({ id: alice2.id, verified: false });
    const ids = other.conversation.verification().keys.map(({ id }) => id);
    expect(ids).toEqual([alice2.id, bob.id].sort());
    expect(one.conversation.verification().keys.map(({ id }) => id)).toEqual(ids);
    expect(one.keys.map(({ id }) => id)).toEqual([alice2.id]);
    expect(other.events.filter(({ event }) => event === 'succession')).toHaveLength(1);
  });

  it('and yet another is followed to the last one, also when the first was followed while they were away', async () => {
    const { port } = await startMediator([alice, bob], follow);
    const [one, other] = [new Person(port, bob, alice, alice2), new Person(port, alice, bob)];
    one.start();
    other.start();
    await other.sees('succession');
    await one.stop();
    one.keys = [alice, alice2, alice3];
    other.conversation.follow(alice2.id);
    one.start();
    await one.sees('succeeded', ({ id }) => id === alice2.id);
    await other.sees('succession', ({ id }) => id === alice3.id);
    other.conversation.follow(alice3.id);
    await one.sees('succeeded', ({ id }) => id === alice3.id);
    await talk(one, other, 'after');
  });

  it('finds the other even if neither heard that the other has followed at the same time', async () => {
    const { port } = await startMediator([alice, bob], follow);
    const [one, other] = [new Person(port, bob, alice, alice2), new Person(port, alice, bob, bob2)];
    one.start();
    other.start();
    await Promise.all([one.sees('succession'), other.sees('succession')]);
    one.conversation.follow(bob2.id);
    other.conversation.follow(alice2.id);
    await one.sees('succeeded', ({ whose }) => whose === 'me');
    await other.sees('succeeded', ({ whose }) => whose === 'me');
    await talk(one, other, 'after');
    expect([one.keys, other.keys].map((keys) => keys.map(({ id }) => id))).toEqual([[alice2.id], [bob2.id]]);
  });

  it('stays with the old one, and hears why, while the mediator does not admit the new one', async () => {
    const running = await startMediator([alice, bob]);
    const [one, other] = [new Person(running.port, bob, alice, alice2, alice3), new Person(running.port, alice, bob)];
    one.start();
    other.start();
    expect(await one.sees('error')).toMatchObject({ code: 4, message: expect.stringContaining('new key yet') });
    await talk(one, other, 'by the old key');
    // Of the one in between, which the mediator never knew, there is nothing to say.
    expect(one.events.filter(({ event }) => event === 'error')).toHaveLength(1);
    expect(other.events.some(({ event }) => event === 'succession')).toBe(false);
    expect(one.fatal).toEqual([]);
  });

  it('uses the new one where the mediator admits no other, and ends only when it admits none', async () => {
    const { port } = await startMediator([alice2, bob]);
    const [one, other] = [new Person(port, bob, alice, alice2), new Person(port, alice2, bob)];
    one.start();
    other.start();
    await one.sees('succeeded');
    await talk(one, other, 'by the new key');
    const nobody = new Person(port, bob, alice, alice3);
    nobody.start();
    await vi.waitUntil(() => nobody.fatal.length > 0, { timeout: PATIENCE_MS });
    expect(nobody.fatal[0]?.exitCode).toBe(4);
  });
});
