/** One item that cannot be processed, whatever stands beside it. */
export interface PoisonItem<Item> {
  readonly item: Item;
  readonly error: unknown;
  /** How often the item was tried, in ever smaller company. */
  readonly attempts: number;
}

export interface IsolationResult<Item, Result> {
  readonly processed: readonly { readonly item: Item; readonly result: Result }[];
  readonly poison: readonly PoisonItem<Item>[];
}

/**
 * Processes items together; when that fails because of the items, halves them until the bad ones stand alone, so that
 * one bad item costs itself and not its batch. At most 2 log2(n) extra attempts for one bad item among n.
 * @param isPoison tells an error caused by the items from one caused by a service; the latter is thrown on
 */
export async function isolatePoison<Item, Result>(
  items: readonly Item[],
  attempt: (items: readonly Item[]) => Promise<readonly Result[]>,
  isPoison: (error: unknown) => boolean,
  attempts = 1,
): Promise<IsolationResult<Item, Result>> {
  if (items.length === 0) return { processed: [], poison: [] };
  try {
    return { processed: pair(items, await attempt(items)), poison: [] };
  } catch (error) {
    if (!isPoison(error)) throw error;
    const [only] = items;
    if (items.length === 1 && only !== undefined)
      return { processed: [], poison: [{ item: only, error, attempts }] };
    const middle = Math.ceil(items.length / 2);
    const first = await isolatePoison(items.slice(0, middle), attempt, isPoison, attempts + 1);
    const second = await isolatePoison(items.slice(middle), attempt, isPoison, attempts + 1);
    return {
      processed: [...first.processed, ...second.processed],
      poison: [...first.poison, ...second.poison],
    };
  }
}

function pair<Item, Result>(items: readonly Item[], results: readonly Result[]) {
  return items.map((item, index) => {
    const result = results[index];
    if (result === undefined) {
      throw new Error(
        `${results.length} results came back for ${items.length} items. This is a bug in embedline.`,
      );
    }
    return { item, result };
  });
}
