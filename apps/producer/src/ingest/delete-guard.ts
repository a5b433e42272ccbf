/** A share is written in decimals and kept in binary: 29 of 100 points are 29 %, though 0.29 * 100 is less than 29. */
const ROUNDING = 1e-6;

/** True when more points would go than a share (0 to 1) of all allows. */
export function exceedsShare(deleted: number, total: number, maxShare: number): boolean {
  return deleted - total * maxShare > ROUNDING;
}

/** The smallest `--max-delete` in whole percent that allows it. */
export function approvingPercent(deleted: number, total: number): number {
  return Math.min(100, Math.ceil((100 * deleted) / Math.max(total, 1)));
}

/** A share as people write it: `0.5 %`. */
export function showShare(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}
