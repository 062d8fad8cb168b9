import type { Duplex } from 'node:stream';
import type { OpenedStream, PathSurroundings } from '../../../src/peer/paths/path.js';
import type { Candidate, Endpoint, Introduction, PathKind } from '../../../src/protocol/messages.js';
import type { Role } from '../../../src/protocol/transcripts.js';

export const INTRODUCTION: Introduction = {
  kind: 'introduction',
  introductionId: '1d'.repeat(16),
  token: Buffer.alloc(32, 7),
  reflexive: { address: '127.0.0.1', port: 9 },
  startInMs: 0,
  relayQuota: 0,
  probes: [],
  probeKey: Buffer.alloc(32, 8),
};

export interface Opened extends OpenedStream {
  path: PathKind;
}

/** What a path gets from its race, recording what it does with it. */
export class RecordedSurroundings implements PathSurroundings {
  readonly introduction: Introduction;
  readonly role: Role = 'client';
  readonly local: Endpoint;
  readonly mediatorAddresses = ['127.0.0.1'];
  readonly loopbackAllowed = true;
  readonly carried = AbortSignal.abort();
  readonly direct = new AbortController().signal;
  readonly told: Candidate[] = [];
  readonly streams: Opened[] = [];
  readonly failures: { path: PathKind; remote: Endpoint; why: string }[] = [];
  readonly #waiting = new Set<() => void>();

  /** @param local the end of the connection to the mediator, which sees it as it is */
  constructor(local: Endpoint = INTRODUCTION.reflexive) {
    this.local = local;
    this.introduction = { ...INTRODUCTION, reflexive: local };
  }

  tell(candidates: Candidate[]): void {
    this.told.push(...candidates);
  }

  opened(path: PathKind, opened: OpenedStream): void {
    opened.stream.on('error', () => {});
    this.streams.push({ path, ...opened });
    for (const wake of [...this.#waiting]) wake();
  }

  failed(path: PathKind, remote: Endpoint, why: string): void {
    this.failures.push({ path, remote, why });
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves when there is a stream that fits, now or later. */
  async stream(fits: (opened: Opened) => boolean = () => true): Promise<Opened> {
    for (;;) {
      const found = this.streams.find(fits);
      if (found) return found;
      await this.#something();
    }
  }

  async failure(): Promise<{ path: PathKind; remote: Endpoint; why: string }> {
    for (;;) {
      const [found] = this.failures;
      if (found) return found;
      await this.#something();
    }
  }

  destroyStreams(): void {
    for (const { stream } of this.streams) stream.destroy();
  }

  #something(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
    });
  }
}

/** What one end says arrives at the other. */
export async function areConnected(one: Duplex, other: Duplex): Promise<boolean> {
  const heard = new Promise<string>((resolve) => {
    other.once('data', (chunk) => resolve(String(chunk)));
    other.once('close', () => resolve(''));
  });
  one.write('are you there?');
  return (await heard) === 'are you there?';
}
