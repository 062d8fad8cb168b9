/** The same values, each fetched while the one before it is in use. Returning early ends `source` and waits for that. */
export async function* readAhead<T>(source: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  try {
    let next = source.next();
    while (true) {
      const { done, value } = await next;
      if (done) return;
      next = source.next();
      // A failure is met where it is awaited; nobody awaits it if the reader stops before.
      next.catch(() => {});
      yield value;
    }
  } finally {
    await source.return();
  }
}
