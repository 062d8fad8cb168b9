import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MappedPort } from '../../../../src/peer/paths/port-mapping/mapped-port.js';

const external = { address: '198.51.100.2', port: 4000 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Renewals answer with these lifetimes in turn, then fail. */
function mapped(lifetimeMs: number, ...renewals: number[]) {
  const asked: number[] = [];
  const ended: number[] = [];
  const began = performance.now();
  const now = () => Math.round(performance.now() - began);
  const port = new MappedPort(
    {
      external,
      lifetimeMs,
      renew: async () => {
        asked.push(now());
        const lifetime = renewals.shift();
        if (lifetime === undefined) throw new Error('no answer');
        return lifetime;
      },
      end: async () => {
        ended.push(now());
      },
    },
    'PCP',
    () => {},
  );
  return { port, asked, ended };
}

describe('a lease', () => {
  it('is known to whoever stops the mapper until it has been given back', async () => {
    const told: string[] = [];
    const end = async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      told.push('given back');
    };
    const port = new MappedPort({ external, lifetimeMs: 60_000, renew: async () => 60_000, end }, 'PCP', () =>
      told.push('forgotten'),
    );
    const released = port.release();
    await vi.advanceTimersByTimeAsync(1_000);
    await released;
    expect(told).toEqual(['given back', 'forgotten']);
  });

  it('is renewed when half of it is over, whatever the gateway grants', async () => {
    const { asked, port } = mapped(60_000, 20_000, 100_000);
    await vi.advanceTimersByTimeAsync(89_000);
    expect(asked).toEqual([30_000, 40_000]);
    await port.release();
  });

  it('that could not be renewed is tried again when half of the rest is over', async () => {
    const { asked, port } = mapped(64_000);
    await vi.advanceTimersByTimeAsync(62_000);
    expect(asked).toEqual([32_000, 48_000, 56_000, 60_000]);
    await port.release();
  });

  it('of no length at all is not renewed without end', async () => {
    const { asked, port } = mapped(0, 0, 0, 0, 0, 0, 0, 0);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asked).toHaveLength(5);
    await port.release();
  });

  it('is ended once, and not renewed after that', async () => {
    const { asked, ended, port } = mapped(60_000, 60_000);
    await Promise.all([port.release(), port.release()]);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(ended).toEqual([0]);
    expect(asked).toEqual([]);
  });
});
