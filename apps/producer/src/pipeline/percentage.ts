/**
 * Reads `20%` or `20` as 20 percent. What is below one needs its sign: `0.6` may be meant as 60 %.
 * @returns percent, 0 to 100, or what is wrong, for people
 */
export function parsePercentage(text: string): number | { readonly problem: string } {
  const match = /^(?<number>\d+(?:\.\d+)?)\s*(?<sign>%?)$/.exec(text.trim());
  const value = Number(match?.groups?.['number'] ?? Number.NaN);
  if (!(value >= 0 && value <= 100)) return { problem: 'expected a percentage from 0% to 100%' };
  if (value > 0 && value < 1 && match?.groups?.['sign'] === '') {
    const share = Number((value * 100).toFixed(6));
    return { problem: `${text} could mean ${share}% or ${value}%: write one of them with its percent sign` };
  }
  return value;
}
