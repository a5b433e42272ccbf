/** Anything that waits for the network: what decides is how long it is. */
export interface Measured {
  /** Token ids of one text, special tokens included. */
  readonly ids: readonly number[];
}

interface Entry<Item> {
  readonly item: Item;
  readonly sequence: number;
}

/**
 * Texts that wait for the network, from any number of calls. Each micro-batch holds texts of exactly one token length:
 * no padding is computed, and a text's company cannot change its vector through a mask. The longest-waiting text
 * decides the length and later ones of that length, from whichever call, fill the micro-batch up, so that calls end in
 * the order in which they came although their texts are pooled.
 */
export class MicroBatchQueue<Item extends Measured> {
  readonly #byLength = new Map<number, Entry<Item>[]>();
  #alone: Entry<Item>[] = [];
  #sequence = 0;

  add(item: Item): void {
    const { length } = item.ids;
    const entry = { item, sequence: (this.#sequence += 1) };
    const group = this.#byLength.get(length);
    if (group === undefined) this.#byLength.set(length, [entry]);
    else group.push(entry);
  }

  /** For an item that must have no company: it is taken before all others. */
  addAlone(item: Item): void {
    this.#alone.push({ item, sequence: 0 });
  }

  /**
   * @param maxTokens in all, but at least one text is taken; 0 takes each text alone
   * @returns texts of one token length; empty when none wait
   */
  take(maxTokens: number): Item[] {
    const alone = this.#alone.shift();
    if (alone !== undefined) return [alone.item];
    const length = this.#oldestLength();
    const group = this.#byLength.get(length);
    if (group === undefined) return [];
    const taken = group.splice(0, Math.max(1, Math.floor(maxTokens / Math.max(length, 1))));
    if (group.length === 0) this.#byLength.delete(length);
    return taken.map(({ item }) => item);
  }

  /** Forgets items. */
  remove(isUnwanted: (item: Item) => boolean): void {
    const keep = ({ item }: Entry<Item>) => !isUnwanted(item);
    this.#alone = this.#alone.filter(keep);
    for (const [length, group] of this.#byLength) {
      const kept = group.filter(keep);
      if (kept.length === 0) this.#byLength.delete(length);
      else this.#byLength.set(length, kept);
    }
  }

  #oldestLength(): number {
    let [oldest, length] = [Infinity, -1];
    for (const [candidate, [first]] of this.#byLength)
      if (first !== undefined && first.sequence < oldest) [oldest, length] = [first.sequence, candidate];
    return length;
  }
}
