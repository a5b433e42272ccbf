/** The same text with LF as its only line end: CR LF and CR are how other systems write the same. */
export function withPlainLineEnds(text: string): string {
  return text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text;
}

/** Offsets of a text, and the same places in {@link withPlainLineEnds} of it. */
export interface LineEndOffsets {
  /** From the text as it is to the one with plain line ends. */
  toPlain(offset: number): number;
  /** The way back. */
  toOriginal(offset: number): number;
}

export function lineEndOffsets(text: string): LineEndOffsets {
  /** Where a CR was taken out, as offsets of the LF behind it in the plain text. */
  const removed: number[] = [];
  for (let at = text.indexOf('\r\n'); at !== -1; at = text.indexOf('\r\n', at + 2))
    removed.push(at - removed.length);
  return {
    toPlain: (offset) => offset - countBelow(removed, offset, (index) => index),
    toOriginal: (offset) => offset + countBelow(removed, offset, () => 0),
  };
}

/** How many of some rising numbers, each with what its position adds, are below a limit. */
function countBelow(numbers: readonly number[], limit: number, added: (index: number) => number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? Infinity) + added(middle) < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
