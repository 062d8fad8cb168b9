/** Runs all jobs in turn, `runs` times, each time beginning with another one; what each returned. */
export async function rounds<Name extends string>(
  runs: number,
  jobs: Partial<Record<Name, () => Promise<number>>>,
): Promise<Partial<Record<Name, number[]>>> {
  const entries = Object.entries(jobs) as [Name, () => Promise<number>][];
  const samples: Partial<Record<Name, number[]>> = {};
  for (let round = 0; round < runs; round++) {
    const first = round % entries.length;
    for (const [name, job] of [...entries.slice(first), ...entries.slice(0, first)]) {
      samples[name] = [...(samples[name] ?? []), await job()];
    }
  }
  return samples;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
