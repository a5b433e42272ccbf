/**
 * Passes on the first message of a kind at once and then at most one per interval, the latest, with the number of times
 * that its kind came: an outage is one line per interval in the log, not thousands.
 *
 * @returns takes a message and its kind; the kind defaults to the message without its numbers
 */
export function throttle(
  intervalMs: number,
  report: (message: string, times: number) => void,
): (message: string, kind?: string) => void {
  const seen = new Map<string, { lastMs: number; times: number }>();
  return (message, kind = message.replaceAll(/\d+/g, '#')) => {
    const nowMs = Date.now();
    const entry = seen.get(kind) ?? { lastMs: -Infinity, times: 0 };
    entry.times += 1;
    if (nowMs - entry.lastMs >= intervalMs) {
      report(message, entry.times);
      entry.lastMs = nowMs;
      entry.times = 0;
    }
    seen.set(kind, entry);
    if (seen.size > 100) seen.clear();
  };
}
