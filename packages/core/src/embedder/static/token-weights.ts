/**
 * Weights of the tokens of a vocabulary that is in order of frequency, as those of WordPiece nearly are: the smooth
 * inverse frequency a / (a + p) of Arora et al. (https://openreview.net/forum?id=SyK00v5xx), with p by Zipf's law from
 * a token's place, as in Model2Vec. Frequent tokens, which say little, count less.
 * @param count tokens, the most frequent first
 * @param a where the weight is one half
 */
export function zipfWeights(count: number, a: number): Float64Array {
  const shares = Float64Array.from({ length: count }, (_, place) => 1 / (place + 2));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => a / (a + share / sum));
}
