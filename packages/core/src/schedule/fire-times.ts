import type { ClockChange, ZoneClock } from './zone-clock.ts';

/** A cron pattern, read on a clock that nobody changes. Times are milliseconds as if that clock showed UTC. */
export interface WallPattern {
  /** The first match after a time; null when there is none. */
  next(afterMs: number): number | null;
  /** True when no hour of the day is left out. */
  readonly everyHour: boolean;
}

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;
/** The longest change of clocks in the zone data: a whole day, where an island changed sides of the date line. */
const LONGEST_CHANGE_MS = DAY_MS;

/**
 * When a pattern comes true in a zone, after an instant, soonest first; ends when it never will again.
 *
 * A time that a change of the clocks skips comes later by as much as they are put forward: at 03:30 for 02:30. Where that is on another
 * day, it comes in the last second before the change. So a daily time comes once on every day that exists. A time that is
 * repeated counts the first time. A pattern that names every hour goes by the hour instead: an hour that is skipped has no
 * runs, one that is repeated has them twice.
 */
export function* fireTimes(pattern: WallPattern, clock: ZoneClock, afterMs: number): Generator<number> {
  const recent = clock.changeBetween(afterMs - LONGEST_CHANGE_MS - HOUR_MS, afterMs);
  let postponed = recent === null ? [] : skippedTimes(pattern, recent);
  let repeatedUntil = recent === null ? -Infinity : endOfRepeat(pattern, recent);
  let [latestMs, cursorMs, offsetMs] = [afterMs, afterMs, clock.offsetMs(afterMs)];
  let wall = afterMs + offsetMs;
  for (;;) {
    const next = pattern.next(Math.max(wall, repeatedUntil - 1));
    const dueMs = next === null ? Infinity : next - offsetMs;
    const change = next === null ? null : clock.changeBetween(cursorMs, dueMs);
    const untilMs = change === null ? dueMs : change.atMs - 1;
    for (const timeMs of [...postponed, dueMs])
      if (timeMs > latestMs && timeMs <= untilMs && timeMs !== Infinity) yield (latestMs = timeMs);
    postponed = postponed.filter((timeMs) => timeMs > latestMs);
    if (change === null && next === null) return;
    if (change === null) {
      [cursorMs, wall] = [dueMs, next ?? 0];
      continue;
    }
    postponed = [...postponed, ...skippedTimes(pattern, change)].sort((a, b) => a - b);
    repeatedUntil = Math.max(repeatedUntil, endOfRepeat(pattern, change));
    [cursorMs, offsetMs] = [change.atMs, change.afterMs];
    // The first second after the change may be a match.
    wall = change.atMs + change.afterMs - 1;
  }
}

/** When what a change skips is made up for, soonest first. */
function skippedTimes(pattern: WallPattern, { atMs, beforeMs, afterMs }: ClockChange): number[] {
  const [first, end] = [atMs + beforeMs, atMs + afterMs];
  const unitMs = pattern.everyHour ? HOUR_MS : DAY_MS;
  const unit = (wall: number) => Math.floor(wall / unitMs);
  const times: number[] = [];
  for (let wall = pattern.next(first - 1); wall !== null && wall < end; wall = pattern.next(wall)) {
    if (unit(wall + end - first) === unit(wall)) times.push(atMs + wall - first);
    else if (unit(first - 1) === unit(wall)) times.push(atMs - 1000);
  }
  return times;
}

/** Clocks show a time before this one for the second time: it counts only for a pattern of every hour. */
function endOfRepeat(pattern: WallPattern, { atMs, beforeMs, afterMs }: ClockChange): number {
  return pattern.everyHour || afterMs >= beforeMs ? -Infinity : atMs + beforeMs;
}
