import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { PeerMeeting } from '../../../src/peer/doctor/peer-meeting.js';
import { PATH_KINDS } from '../../../src/protocol/messages.js';
import { identity, startMediator } from '../../server/fixture.js';
import { credentialsOf } from '../../support/credentials.js';
import { registerWith } from '../../support/mediator-client.js';
import { openSockets } from '../../support/streams.js';

const [alice, bob] = [credentialsOf(identity(0)), credentialsOf(identity(1))];
const never = new AbortController().signal;

let port = 0;
let told: string[] = [];
beforeEach(async () => {
  ({ port } = await startMediator([alice.identity, bob.identity]));
  told = [];
});

function meeting(me: typeof alice, peer: typeof alice, allowed = PATH_KINDS): PeerMeeting {
  const made = new PeerMeeting({
    host: '127.0.0.1',
    port,
    identity: me.identity,
    race: { credentials: me, peer: peer.identity, allowed, hostCandidates: true },
    mapPort: null,
    hairpin: null,
    judge: () => {},
    onWaiting: () => told.push('waiting'),
    onTrying: () => told.push('trying'),
  });
  onTestFinished(() => made.stop());
  return made;
}

describe('meeting the peer to see which paths open', () => {
  it('ends with nothing when the peer does not come in time', async () => {
    expect(await meeting(alice, bob).run(300, never)).toEqual({ kind: 'absent' });
    await expect.poll(() => told).toEqual(['waiting']);
  });

  it('waits on when somebody looks in and leaves, and then meets', async () => {
    const atAlice = meeting(alice, bob).run(null, never);
    await expect.poll(() => told).toEqual(['waiting']);
    const passing = await registerWith({ port }, bob.identity, alice.identity.id);
    await expect.poll(() => told).toContain('trying');
    passing.close();
    await expect.poll(() => told).toEqual(['waiting', 'trying', 'waiting']);
    const found = await Promise.all([atAlice, meeting(bob, alice).run(null, never)]);
    for (const encounter of found) {
      expect(encounter).toMatchObject({ kind: 'met', link: { path: 'tcp-direct' }, impostor: false });
    }
  });

  it('asks nothing more where only the relay is allowed', async () => {
    const paths = ['relay'] as const;
    const meetings = [meeting(alice, bob, paths), meeting(bob, alice, paths)];
    const found = await Promise.all(meetings.map((each) => each.run(null, never)));
    for (const encounter of found)
      expect(encounter).toMatchObject({ link: { path: 'relay' }, prediction: { path: 'relay' } });
  });

  it('gives way to a program that opens the same conversation', async () => {
    const giving = meeting(alice, bob).run(null, never);
    giving.catch(() => {});
    await expect.poll(() => told).toEqual(['waiting']);
    const other = await registerWith({ port }, alice.identity, bob.identity.id);
    onTestFinished(() => other.destroy());
    await expect(giving).rejects.toMatchObject({ exitCode: 4 });
  });

  it('leaves when it is told to, and nothing stays open', async () => {
    const before = openSockets();
    const leaving = new AbortController();
    const waiting = meeting(alice, bob);
    const run = waiting.run(null, leaving.signal);
    run.catch(() => {});
    await expect.poll(() => told).toEqual(['waiting']);
    leaving.abort(new Error('the person has left'));
    await expect(run).rejects.toThrow('the person has left');
    await waiting.stop();
    await expect.poll(openSockets).toBeLessThanOrEqual(before);
  });
});
