/** So many results are being made at once. */
const UNDER_WAY = 2;

/**
 * Maps items two at a time and gives the results in the order of the items, each as soon as it and those before it are
 * there, while the next item is already being fetched: nothing waits for a source that is slow. At most four items are
 * alive: one that is fetched, two that are mapped, one that is with the caller.
 */
export async function* mapInOrder<T, R>(
  items: AsyncIterator<T>,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R, void> {
  const results: Promise<R>[] = [];
  let fetching: Promise<IteratorResult<T>> | null = expected(items.next());
  while (fetching !== null || results.length > 0) {
    const [oldest] = results;
    if (
      oldest !== undefined &&
      (fetching === null || results.length === UNDER_WAY || (await isFirst(oldest, fetching)))
    ) {
      void results.shift();
      yield await oldest;
      continue;
    }
    if (fetching === null) return;
    const item: IteratorResult<T> = await fetching;
    fetching = item.done === true ? null : expected(items.next());
    if (item.done !== true) results.push(expected(map(item.value)));
  }
}

function isFirst(result: Promise<unknown>, other: Promise<unknown>): Promise<boolean> {
  return Promise.race([result.then(() => true), other.then(() => false)]);
}

/** Whoever waits for it gets its error; until then nobody does, and that is no reason to end the process. */
function expected<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
