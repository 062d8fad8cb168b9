import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mediatorJudge } from '../../src/peer/mediator/judge.js';
import { PeerConversation, type PeerConversationOptions } from '../../src/peer/peer-conversation.js';
import type { SessionEvent } from '../../src/peer/session/events.js';
import { Journal } from '../../src/peer/session/journal/journal.js';
import { ExitCode, UserError } from '../../src/protocol/errors.js';
import type { Identity } from '../../src/protocol/identity.js';
import { verificationWords } from '../../src/protocol/words.js';
import { identity, startMediator } from '../server/fixture.js';
import { certificatesFor } from '../support/credentials.js';
import { UNLIMITED_RELAY } from '../support/relay.js';
import { openSockets } from '../support/streams.js';

const alice = identity(0);
const bob = identity(1);

type EventOf<K extends SessionEvent['event']> = Extract<SessionEvent, { event: K }>;

/** One of the two, with everything that its face was told. */
class Talker {
  readonly conversation: PeerConversation;
  readonly events: SessionEvent[] = [];
  readonly fatal: UserError[] = [];
  readonly folder = mkdtempSync(join(tmpdir(), 'turbo-beep-conversation-'));

  constructor(me: Identity, peer: Identity, port: number, more: Partial<PeerConversationOptions> = {}) {
    const directory = join(this.folder, 'journal');
    mkdirSync(directory, { mode: 0o700 });
    this.conversation = new PeerConversation({
      host: '127.0.0.1',
      port,
      own: { line: [me], successions: [] },
      certificates: certificatesFor(me),
      peer,
      card: { id: peer.id, name: 'the other', verified: false },
      journal: Journal.open({ directory, privateKey: me.privateKey }),
      allowed: ['tcp-direct', 'relay'],
      hostCandidates: true,
      portMapping: false,
      defaultInto: this.folder,
      whenShown: (then) => then(),
      pipeCommand: '',
      judgeMediator: () => {},
      saveVerified: () => {},
      onFatal: (error) => this.fatal.push(error),
      ...more,
    });
    this.conversation.subscribe((event) => this.events.push(event));
    this.conversation.start();
    talkers.push(this);
  }

  all<K extends SessionEvent['event']>(kind: K): EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> => event.event === kind);
  }

  sees<K extends SessionEvent['event']>(
    kind: K,
    fits: (event: EventOf<K>) => boolean = () => true,
    times = 1,
  ): Promise<EventOf<K>> {
    return vi.waitUntil(() => this.all(kind).filter(fits)[times - 1], { timeout: 15_000, interval: 5 });
  }

  async isOver(path: 'tcp-direct' | 'relay'): Promise<void> {
    await vi.waitUntil(() => this.conversation.status().path === path, { timeout: 15_000, interval: 5 });
  }

  async stop(): Promise<void> {
    await this.conversation.quit();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let talkers: Talker[] = [];
afterEach(async () => {
  await Promise.all(talkers.map((talker) => talker.stop()));
  talkers = [];
});

async function bothOn(port: number, more: Partial<PeerConversationOptions> = {}): Promise<[Talker, Talker]> {
  const both: [Talker, Talker] = [new Talker(alice, bob, port, more), new Talker(bob, alice, port, more)];
  await Promise.all(both.map((talker) => talker.sees('connected')));
  return both;
}

async function theyTalk(one: Talker, other: Talker): Promise<void> {
  const text = `at ${performance.now()}`;
  one.conversation.message(text);
  other.conversation.message(text);
  await Promise.all([one, other].map((talker) => talker.sees('message', (m) => m.from === 'peer' && m.text === text)));
}

describe('two conversations with one mediator', () => {
  it('find each other over the relay, move to the direct path, and talk', async () => {
    const { port } = await startMediator([alice, bob]);
    const [one, other] = await bothOn(port);
    await theyTalk(one, other);
    await Promise.all([one.isOver('tcp-direct'), other.isOver('tcp-direct')]);
    expect(one.events[0]?.event).toBe('online');
    expect(one.conversation.path().current).toMatchObject({ path: 'tcp-direct' });
    expect(one.conversation.path().attempts).toContainEqual(expect.objectContaining({ outcome: 'connected' }));
    expect(one.conversation.verification()).toMatchObject({
      keys: other.conversation.verification().keys.map(({ id, words }) => ({ id, words })),
    });
    expect(one.conversation.history(1)[0]?.text).toMatch(/^at/);
  });

  it('show that one waits for the other, and connect when it comes', async () => {
    const { port } = await startMediator([alice, bob]);
    const one = new Talker(alice, bob, port);
    await one.sees('waiting');
    expect(one.conversation.status().state).toBe('waiting');
    one.conversation.message('written while nobody was there');
    const other = new Talker(bob, alice, port);
    await other.sees('message');
    await one.sees('delivered');
  });

  it('stay on the relay if they are to, and talk', async () => {
    const { port } = await startMediator([alice, bob]);
    const [one, other] = await bothOn(port, { allowed: ['relay'] });
    await theyTalk(one, other);
    expect(one.all('path')).toEqual([]);
    expect(one.conversation.status().path).toBe('relay');
  });

  it('find each other directly through a mediator that relays nothing', async () => {
    const { port } = await startMediator([alice, bob], { relay: { ...UNLIMITED_RELAY, sessions: false } });
    const [one, other] = await bothOn(port);
    await theyTalk(one, other);
    expect(one.all('connected').map(({ path }) => path)).toEqual(['tcp-direct']);
  });

  it('find each other again by themselves when the last link is gone', async () => {
    const { port } = await startMediator([alice, bob]);
    const [one, other] = await bothOn(port);
    await one.isOver('tcp-direct');
    // A link that was a duplicate a moment ago may take the place of the one that is cut: cut that as well.
    await vi.waitUntil(
      () => {
        cutCurrent(one);
        return one.events.some(({ event }) => event === 'disconnected');
      },
      { timeout: 15_000, interval: 20 },
    );
    await one.sees('connected', undefined, 2);
    await theyTalk(one, other);
  });

  it('go on without the mediator, and are offline for it until it is back', async () => {
    const { mediator, port, certs } = await startMediator([alice, bob]);
    const [one, other] = await bothOn(port);
    await Promise.all([one.isOver('tcp-direct'), other.isOver('tcp-direct')]);
    await mediator.stop('the test is over');
    await Promise.all([one.sees('offline'), other.sees('offline')]);
    await theyTalk(one, other);
    expect([...one.all('disconnected'), ...other.all('disconnected')]).toEqual([]);
    await startMediator([], { where: { address: '127.0.0.1', port }, certs });
    await Promise.all([one, other].map((talker) => talker.sees('online', undefined, 2)));
    await theyTalk(one, other);
    expect([...one.all('disconnected'), ...one.fatal, ...other.fatal]).toEqual([]);
  });

  it('end for both when one quits, and leave no socket', async () => {
    const { port } = await startMediator([alice, bob]);
    const before = openSockets();
    const [one, other] = await bothOn(port);
    await one.conversation.quit();
    expect((await other.sees('disconnected')).reason).toBe('the peer left');
    await other.sees('waiting');
    await other.conversation.quit();
    expect(one.events.at(-1)).toEqual({ event: 'bye' });
    await vi.waitFor(() => expect(openSockets()).toBe(before), { timeout: 5_000 });
  });
});

describe('what the mediator does', () => {
  it('ends a conversation that is opened from elsewhere with the same key', async () => {
    const { port } = await startMediator([alice, bob]);
    const [one, other] = await bothOn(port);
    const elsewhere = new Talker(alice, bob, port);
    await vi.waitUntil(() => one.fatal[0], { timeout: 5_000 });
    expect(one.fatal[0]?.exitCode).toBe(ExitCode.mediatorRefused);
    await one.conversation.quit();
    await elsewhere.sees('connected');
    await theyTalk(elsewhere, other);
  });

  it('ends nothing that goes on without it, if it no longer admits the key; the program ends with the last link', async () => {
    const { port, certs } = await startMediator([alice, bob]);
    const [one, other] = await bothOn(port);
    await Promise.all([one.isOver('tcp-direct'), other.isOver('tcp-direct')]);
    await rm(join(certs, `${alice.id}.pem`));
    await one.sees('offline', ({ reason }) => reason.includes('does not admit'));
    await theyTalk(one, other);
    expect(one.fatal).toEqual([]);
    cutCurrent(one);
    await vi.waitUntil(() => one.fatal[0], { timeout: 5_000 });
    expect(one.fatal[0]?.exitCode).toBe(ExitCode.mediatorRefused);
  });

  it('ends nothing that goes on without it, if somebody else stands in its place', async () => {
    const { mediator, port } = await startMediator([alice, bob]);
    let trusted = true;
    const judgeMediator = () => {
      if (!trusted) throw new UserError(ExitCode.mediatorRefused, 'another key than before', 'Ask.');
      return undefined;
    };
    const [one, other] = await bothOn(port, { judgeMediator });
    await Promise.all([one.isOver('tcp-direct'), other.isOver('tcp-direct')]);
    trusted = false;
    await mediator.stop('the test is over');
    await startMediator([alice, bob], { where: { address: '127.0.0.1', port } });
    await one.sees('offline', ({ reason }) => reason.includes('another key'));
    await theyTalk(one, other);
    expect([...one.fatal, ...other.fatal]).toEqual([]);
  });

  it('is refused at first contact if its key is not the pinned one', async () => {
    const { port } = await startMediator([alice, bob]);
    const one = new Talker(alice, bob, port, {
      judgeMediator: mediatorJudge({ host: '127.0.0.1', port, pinned: '00'.repeat(32), byHand: false, pin: () => {} }),
    });
    await vi.waitUntil(() => one.fatal[0], { timeout: 5_000 });
    expect(one.fatal[0]).toMatchObject({
      exitCode: ExitCode.mediatorRefused,
      hint: expect.stringContaining('--mediator-key'),
    });
    expect(one.all('online')).toEqual([]);
  });

  it('is pinned at first contact', async () => {
    const { port, id } = await startMediator([alice, bob]);
    const pinned: string[] = [];
    const pin = (shown: string) => pinned.push(shown);
    const one = new Talker(alice, bob, port, {
      judgeMediator: mediatorJudge({ host: '127.0.0.1', port, pinned: null, byHand: false, pin }),
    });
    await one.sees('online');
    expect(pinned).toEqual([id]);
  });

  it('is held to the key of first contact in the very run that met it first', () => {
    const pinned: string[] = [];
    const pin = (id: string) => pinned.push(id);
    const judge = mediatorJudge({ host: 'h', port: 1, pinned: null, byHand: false, pin });
    judge(alice);
    judge(bob)?.();
    judge(bob)?.();
    expect(() => judge(alice)).toThrow('another key than before');
    judge(bob)?.();
    expect(pinned).toEqual([bob.id]);
  });

  it('is pinned anew when the person names its new key', () => {
    const pinned: string[] = [];
    const judge = mediatorJudge({
      host: 'h',
      port: 1,
      pinned: bob.id,
      byHand: true,
      pin: (id) => pinned.push(id),
    });
    judge(bob)?.();
    for (const { id } of [alice, bob]) {
      expect(() => judge(alice)).toThrow(id);
      expect(() => judge(alice)).toThrow(verificationWords(id).join(' '));
    }
    expect(pinned).toEqual([bob.id]);
  });
});

/** The network takes every link away, and neither program asked for it. */
function cutCurrent({ conversation }: Talker): void {
  const { current } = conversation.path();
  for (const socket of current ? peerSockets(current.remote) : []) socket.destroy();
}

interface Handle {
  remotePort?: number;
  destroy(): void;
}

/** This process's sockets that lead to `remote`. */
function peerSockets(remote: string): Handle[] {
  const port = Number(remote.slice(remote.lastIndexOf(':') + 1));
  const handles = (process as unknown as { _getActiveHandles(): Handle[] })._getActiveHandles();
  return handles.filter(({ remotePort }) => remotePort === port);
}
