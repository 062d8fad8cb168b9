import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { OtherKeys } from '../../../src/peer/mediator/other-keys.js';
import type { FramedStream } from '../../../src/protocol/framed-stream.js';
import type { Identity } from '../../../src/protocol/identity.js';
import type { MediatorMessage } from '../../../src/protocol/messages.js';
import { identity } from '../../server/fixture.js';
import { HandDrivenMediator } from './hand-driven-mediator.js';

const [second, third, peer] = [identity(0), identity(1), identity(2)];
const never = new AbortController().signal;

type Stream = FramedStream<MediatorMessage>;

/** Those who have asked to be let in and have no answer yet, by their id; of each, in the order in which they asked. */
const asking = new Map<string, Stream[]>();
let mediator: HandDrivenMediator;
let keys: OtherKeys;
const admitted: Identity[] = [];
const refused: Identity[] = [];

async function begin(): Promise<void> {
  mediator = await HandDrivenMediator.start(async (stream) => {
    const registration = await stream.next(never);
    stream.send({ kind: 'challenge', nonce: randomBytes(32) });
    await stream.next(never);
    const id = registration.kind === 'register' ? registration.peerId : '';
    asking.set(id, [...(asking.get(id) ?? []), stream]);
  });
  keys = new OtherKeys({
    host: '127.0.0.1',
    port: mediator.port,
    wantedId: peer.id,
    identities: [second, third],
    successions: [],
    judge: () => undefined,
    onAdmitted: (each) => admitted.push(each),
    onRefused: (each) => refused.push(each),
    onCalled: () => {},
  });
  keys.start();
}

function answerTo({ id }: Identity): Promise<Stream> {
  return vi.waitUntil(() => asking.get(id)?.shift(), { timeout: 10_000, interval: 5 });
}

function refuse(stream: Stream): void {
  stream.send({ kind: 'refused', reason: 'not admitted here' });
  stream.end();
}

function admit(stream: Stream): void {
  const reflexive = { address: '127.0.0.1', port: 1 };
  stream.send({ kind: 'admitted', reflexive, nowMs: 7, followsSuccessions: true });
}

afterEach(() => {
  keys.stop();
  mediator.stop();
  asking.clear();
  admitted.length = 0;
  refused.length = 0;
});

describe('keys that the mediator refuses while it changes its mind', () => {
  it('are all asked for again at once, in whatever order the refusals come', async () => {
    await begin();
    const [toSecond, toThird] = [await answerTo(second), await answerTo(third)];
    keys.askAgain();
    refuse(toThird);
    const toThirdAgain = await answerTo(third);
    refuse(toSecond);
    admit(await answerTo(second));
    await vi.waitUntil(() => admitted.includes(second), { timeout: 10_000 });
    // Which the mediator heard of from the second one.
    keys.askAgain();
    refuse(toThirdAgain);
    admit(await answerTo(third));
    await vi.waitUntil(() => admitted.includes(third), { timeout: 10_000 });
    expect(refused).toEqual([]);
  });

  it('are asked for again at once though another was refused before', async () => {
    await begin();
    const [toSecond, toThird] = [await answerTo(second), await answerTo(third)];
    refuse(toThird);
    await vi.waitUntil(() => refused.includes(third), { timeout: 10_000 });
    keys.askAgain();
    refuse(toSecond);
    admit(await answerTo(second));
    await answerTo(third);
  });

  it('wait before they ask again if they were refused since', async () => {
    await begin();
    keys.askAgain();
    refuse(await answerTo(second));
    refuse(await answerTo(second));
    await vi.waitUntil(() => refused.includes(second), { timeout: 10_000 });
    expect(asking.get(second.id)).toEqual([]);
  });
});
