/**
 * Weights of tokens by how frequent they are: the smooth inverse frequency a / (a + p) of Arora et al.
 * (https://openreview.net/forum?id=SyK00v5xx). Frequent tokens, which say little of a text, count less.
 * @param shares of all occurrences, by token
 * @param a the share at which the weight is one half
 */
export function inverseFrequencyWeights(shares: Float64Array, a: number): Float64Array {
  return shares.map((share) => a / (a + share));
}

/** Shares by Zipf's law, from a token's place in the order of frequency, as in Model2Vec. */
export function zipfShares(count: number): Float64Array {
  return normalized(Float64Array.from({ length: count }, (_, place) => 1 / (place + 2)));
}

/** Shares as counted, of tokens `0` to `count`. */
export function countedShares(texts: readonly (readonly number[])[], count: number): Float64Array {
  const occurrences = new Float64Array(count);
  for (const ids of texts) for (const id of ids) occurrences[id] = (occurrences[id] ?? 0) + 1;
  return normalized(occurrences);
}

function normalized(values: Float64Array): Float64Array {
  const total = values.reduce((sum, value) => sum + value, 0);
  return total === 0 ? values : values.map((value) => value / total);
}
