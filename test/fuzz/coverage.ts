import inspector from 'node:inspector';

interface FunctionCoverage {
  ranges: { startOffset: number; count: number }[];
}

interface ScriptCoverage {
  scriptId: string;
  url: string;
  functions: FunctionCoverage[];
}

/** Which branches of this project's own code run: V8 counts them, and is asked through its inspector. */
export class Coverage {
  readonly #session = new inspector.Session();
  readonly #seen = new Set<string>();

  start(): void {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  stop(): void {
    this.#session.disconnect();
  }

  /** Forgets what ran until now. */
  clear(): void {
    this.#take();
  }

  /** Whether a function has gone a way since `clear` that none ever went before. */
  isNew(): boolean {
    const before = this.#seen.size;
    for (const { scriptId, url, functions } of this.#take()) {
      if (!url.includes('/src/') || url.includes('/node_modules/')) continue;
      for (const { ranges } of functions) {
        this.#seen.add(
          `${scriptId} ${ranges.map(({ startOffset, count }) => `${startOffset}${count > 0 ? '+' : '-'}`)}`,
        );
      }
    }
    return this.#seen.size > before;
  }

  #take(): ScriptCoverage[] {
    let result: ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (_, taken) => {
      result = taken?.result ?? [];
    });
    return result;
  }
}
