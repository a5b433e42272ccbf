/** Anything that waits for the network: what decides is how long it is. */
export interface Measured {
  /** Token ids of one text, special tokens included. */
  readonly ids: readonly number[];
}

interface Entry<Item> {
  readonly item: Item;
  readonly sequence: number;
}

export interface MicroBatchQueueOptions {
  /** Micro-batches hold texts of any lengths: for an engine that pads none. */
  readonly mixesLengths: boolean;
}

/**
 * Texts that wait for the network, from any number of calls. Each micro-batch holds texts of exactly one token length,
 * unless lengths may be mixed: no padding is computed, and a text's company cannot change its vector through a mask. The
 * longest-waiting text decides the length and later ones of that length, from whichever call, fill the micro-batch up, so
 * that calls end in the order in which they came although their texts are pooled.
 */
export class MicroBatchQueue<Item extends Measured> {
  readonly #mixesLengths: boolean;
  /** Texts that may go together, by their length; all under 0 where lengths are mixed. */
  readonly #groups = new Map<number, Entry<Item>[]>();
  #alone: Entry<Item>[] = [];
  #sequence = 0;

  constructor({ mixesLengths }: MicroBatchQueueOptions) {
    this.#mixesLengths = mixesLengths;
  }

  add(item: Item): void {
    const key = this.#mixesLengths ? 0 : item.ids.length;
    const entry = { item, sequence: (this.#sequence += 1) };
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, [entry]);
    else group.push(entry);
  }

  /** For an item that must have no company: it is taken before all others. */
  addAlone(item: Item): void {
    this.#alone.push({ item, sequence: 0 });
  }

  /**
   * @param maxTokens in all, but at least one text is taken; 0 takes each text alone
   * @returns texts of one token length, or of any where they are mixed; empty when none wait
   */
  take(maxTokens: number): Item[] {
    const alone = this.#alone.shift();
    if (alone !== undefined) return [alone.item];
    const key = this.#oldestKey();
    const group = this.#groups.get(key);
    if (group === undefined) return [];
    const taken = group.splice(0, Math.max(1, countWithin(group, maxTokens)));
    if (group.length === 0) this.#groups.delete(key);
    return taken.map(({ item }) => item);
  }

  /** Forgets items. */
  remove(isUnwanted: (item: Item) => boolean): void {
    const keep = ({ item }: Entry<Item>) => !isUnwanted(item);
    this.#alone = this.#alone.filter(keep);
    for (const [key, group] of this.#groups) {
      const kept = group.filter(keep);
      if (kept.length === 0) this.#groups.delete(key);
      else this.#groups.set(key, kept);
    }
  }

  #oldestKey(): number {
    let [oldest, key] = [Infinity, -1];
    for (const [candidate, [first]] of this.#groups)
      if (first !== undefined && first.sequence < oldest) [oldest, key] = [first.sequence, candidate];
    return key;
  }
}

/** How many of the first texts have at most so many tokens together. */
function countWithin(group: readonly Entry<Measured>[], maxTokens: number): number {
  let [count, tokens] = [0, 0];
  for (const { item } of group) {
    tokens += Math.max(item.ids.length, 1);
    if (tokens > maxTokens) break;
    count += 1;
  }
  return count;
}
