/**
 * Passes on the first of equal messages at once and then at most one per interval, with the number of times it came:
 * an outage is one line per interval in the log, not thousands.
 */
export function throttle(
  intervalMs: number,
  report: (message: string, times: number) => void,
): (message: string) => void {
  const seen = new Map<string, { lastMs: number; times: number }>();
  return (message) => {
    const nowMs = Date.now();
    const entry = seen.get(message) ?? { lastMs: -Infinity, times: 0 };
    entry.times += 1;
    if (nowMs - entry.lastMs >= intervalMs) {
      report(message, entry.times);
      entry.lastMs = nowMs;
      entry.times = 0;
    }
    seen.set(message, entry);
    if (seen.size > 100) seen.clear();
  };
}
