import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Judge } from '../../../src/peer/mediator/judge.js';
import { Mediation, type MediationHandlers, ReplacedError } from '../../../src/peer/mediator/mediation.js';
import { ExitCode, UserError } from '../../../src/protocol/errors.js';
import type { Identity } from '../../../src/protocol/identity.js';
import type { Introduction } from '../../../src/protocol/messages.js';
import { identity, startMediator } from '../../server/fixture.js';
import { openSockets } from '../../support/streams.js';
import { admit, HandDrivenMediator } from './hand-driven-mediator.js';

const alice = identity(0);
const bob = identity(1);

interface Setup {
  me?: Identity;
  wanted?: Identity;
  judge?: Judge;
  hopes?: boolean;
}

/** A registration with all that came of it. */
class Registered {
  readonly mediation: Mediation;
  readonly happened: string[] = [];
  readonly introductions: Introduction[] = [];
  readonly fatal: UserError[] = [];

  constructor(port: number, { me = alice, wanted = bob, judge = () => undefined, hopes = false }: Setup = {}) {
    const note = (what: string) => {
      this.happened.push(what);
    };
    const handlers: MediationHandlers = {
      onOnline: () => note('online'),
      onWaiting: () => note('waiting'),
      onIntroduction: (introduction) => {
        note('introduced');
        this.introductions.push(introduction);
      },
      onOffline: () => note('offline'),
      onUnreachable: () => note('unreachable'),
      onFatal: (error) => {
        note('fatal');
        this.fatal.push(error);
      },
    };
    const host = '127.0.0.1';
    this.mediation = new Mediation({
      host,
      port,
      identity: me,
      wantedId: wanted.id,
      judge,
      hopes: () => hopes,
      handlers,
    });
    this.mediation.start();
    registered.push(this);
  }

  /** It has happened so many times. */
  async sees(what: string, times = 1): Promise<void> {
    await vi.waitFor(() => expect(this.happened.filter((each) => each === what)).toHaveLength(times), {
      timeout: 10_000,
      interval: 5,
    });
  }
}

let registered: Registered[] = [];
afterEach(() => {
  for (const { mediation } of registered) mediation.stop();
  registered = [];
});

describe('Mediation', () => {
  it('waits for the peer, and is introduced when it is there, each to the other', async () => {
    const { port } = await startMediator([alice, bob]);
    const here = new Registered(port);
    await here.sees('waiting');
    const there = new Registered(port, { me: bob, wanted: alice });
    await Promise.all([here.sees('introduced'), there.sees('introduced')]);
    expect(here.happened).toEqual(['online', 'waiting', 'introduced']);
    expect(there.happened.at(-1)).toBe('introduced');
    const [mine, theirs] = [here.introductions[0], there.introductions[0]];
    expect(mine?.introductionId).toBe(theirs?.introductionId);
    expect(mine?.token).toEqual(theirs?.token);
    expect(here.mediation.online).toBe(true);
  });

  it('is introduced again when it asks to meet', async () => {
    const { port } = await startMediator([alice, bob]);
    const here = new Registered(port);
    const there = new Registered(port, { me: bob, wanted: alice });
    await Promise.all([here.sees('introduced'), there.sees('introduced')]);
    // Right after an introduction the mediator does not hear it.
    const asking = setInterval(() => here.mediation.meet(), 50);
    await vi.waitFor(() => expect(there.introductions.length).toBeGreaterThan(1), { timeout: 5_000 });
    clearInterval(asking);
    expect(there.introductions[1]?.introductionId).not.toBe(there.introductions[0]?.introductionId);
  });

  it('leaves in order: the peer is told at once that it is gone', async () => {
    const { port } = await startMediator([alice, bob]);
    const here = new Registered(port);
    await here.sees('waiting');
    const there = new Registered(port, { me: bob, wanted: alice });
    await here.sees('introduced');
    there.mediation.stop();
    await here.sees('waiting', 2);
  });

  it('comes back by itself when the mediator does, and says that it was offline', async () => {
    const { mediator, port, certs } = await startMediator([alice]);
    const here = new Registered(port);
    await here.sees('waiting');
    await mediator.stop('the test is over');
    await here.sees('offline');
    expect(here.mediation.online).toBe(false);
    here.mediation.meet();
    await startMediator([], { where: { address: '127.0.0.1', port }, certs });
    await here.sees('online', 2);
    await here.sees('waiting', 2);
    expect(here.fatal).toEqual([]);
  });

  it('stays away when a newer registration of the same pair takes its place', async () => {
    const { port } = await startMediator([alice, bob]);
    const first = new Registered(port);
    await first.sees('waiting');
    const second = new Registered(port);
    await first.sees('fatal');
    expect(first.fatal[0]).toBeInstanceOf(ReplacedError);
    expect(first.fatal[0]?.exitCode).toBe(ExitCode.mediatorRefused);
    await second.sees('waiting');
    const there = new Registered(port, { me: bob, wanted: alice });
    await Promise.all([second.sees('introduced'), there.sees('introduced')]);
    expect(first.happened).toEqual(['online', 'waiting', 'fatal']);
    expect(second.fatal).toEqual([]);
  });

  it('gives up where its key is not admitted', async () => {
    const { port } = await startMediator([bob]);
    const here = new Registered(port);
    await here.sees('fatal');
    expect(here.fatal[0]).toMatchObject({
      exitCode: ExitCode.mediatorRefused,
      hint: expect.stringContaining('--certs'),
    });
    expect(here.happened).toEqual(['fatal']);
  });

  it('gives up with the judge’s own words where the mediator’s key is not the one it should be', async () => {
    const { port } = await startMediator([alice]);
    const changed = new UserError(ExitCode.mediatorRefused, 'another key', 'Ask.');
    const here = new Registered(port, {
      judge: () => {
        throw changed;
      },
    });
    await here.sees('fatal');
    expect(here.fatal).toEqual([changed]);
  });

  it('tries again where nobody listens yet', async () => {
    const first = await HandDrivenMediator.start(admit);
    const { port } = first;
    first.stop();
    const here = new Registered(port);
    await here.sees('unreachable');
    await startMediator([alice], { where: { address: '127.0.0.1', port } });
    await here.sees('online');
  });

  it('believes no mediator that breaks the protocol: it is offline, and comes again', async () => {
    const mediator = await HandDrivenMediator.start(async (stream) => {
      await admit(stream);
      stream.send({ kind: 'challenge', nonce: Buffer.alloc(32) });
    });
    const here = new Registered(mediator.port);
    await here.sees('offline', 2);
    expect(mediator.visits).toBeGreaterThanOrEqual(2);
    expect(here.fatal).toEqual([]);
    mediator.stop();
  });

  it('comes again with growing pauses to a mediator that admits and drops', async () => {
    const mediator = await HandDrivenMediator.start(async (stream) => {
      await admit(stream);
      stream.destroy(new Error('dropped'));
    });
    const startedAt = performance.now();
    const here = new Registered(mediator.port);
    await here.sees('offline', 5);
    // Half of a quarter of a second, of a half, of a whole and of two.
    expect(performance.now() - startedAt).toBeGreaterThan(1_850);
    mediator.stop();
  });

  it('notices within seconds, when asked, that the connection is dead', async () => {
    const mediator = await HandDrivenMediator.start(async (stream) => {
      await admit(stream);
      stream.pause();
    });
    const here = new Registered(mediator.port);
    await here.sees('online');
    here.mediation.probe();
    await here.sees('offline');
    mediator.stop();
  });

  it('leaves neither socket nor timer when it is stopped', async () => {
    const { port } = await startMediator([alice]);
    const before = openSockets();
    const here = new Registered(port);
    await here.sees('waiting');
    here.mediation.probe();
    here.mediation.stop();
    await vi.waitFor(() => expect(openSockets()).toBe(before), { timeout: 5_000 });
    expect(here.happened).toEqual(['online', 'waiting']);
  });
});
