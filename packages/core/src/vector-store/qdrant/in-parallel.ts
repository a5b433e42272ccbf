const REQUESTS_UNDER_WAY = 2;

/** Takes the next item only when a lane is free, and none after a failure. */
export async function inParallel<T>(items: Iterable<T>, send: (item: T) => Promise<void>): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const lane = async () => {
    try {
      for (let next = waiting.next(); next.done !== true; next = waiting.next()) await send(next.value);
    } catch (error) {
      waiting.return?.();
      throw error;
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_UNDER_WAY }, lane));
}
