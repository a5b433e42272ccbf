import { CronExpressionParser } from 'cron-parser';
import { EmbedlineError, messageOf } from '../errors.ts';
import { fireTimes, type WallPattern } from './fire-times.ts';
import { ZoneClock } from './zone-clock.ts';

/** When something is to happen: a pattern and the time zone in which it is read. */
export interface Cron {
  /** Five or six fields, e.g. `0 3 * * *`; six begin with seconds. */
  readonly cron: string;
  /** IANA name, e.g. `Europe/Zurich`. */
  readonly timeZone: string;
}

const EXAMPLE = 'Expected e.g. "0 3 * * *" for every day at three.';
/** Largest value of each field, from seconds to days of the week. */
const LARGEST = [59, 59, 23, 31, 12, 7] as const;
const HOURS_OF_A_DAY = 24;

/**
 * Checks what the parser of patterns takes too easily: three fields, a shorthand, a field left to chance, a step that
 * is longer than its field.
 * @throws EmbedlineError USAGE that says what was expected
 */
export function assertCron({ cron, timeZone }: Cron): void {
  const fields = cron.trim().split(/\s+/);
  if (cron.trim().startsWith('@') || fields.length < 5 || fields.length > 6)
    throw invalid(
      cron,
      'expected five fields (minute, hour, day of month, month, day of week), or six that begin with seconds',
    );
  if (fields.some((field) => /(^|[,-])H($|[/,(-])/i.test(field)))
    throw invalid(cron, 'H would be another time on every server. Choose one yourself, for example 17');
  for (const [index, field] of fields.entries())
    assertSteps(cron, field, LARGEST.at(index - fields.length) ?? 0);
  clockOf(timeZone);
  try {
    if (wallPattern(cron).next(Date.UTC(2026, 0)) === null) throw new Error('it never comes true');
  } catch (cause) {
    throw invalid(cron, messageOf(cause), cause);
  }
}

/**
 * The next times, soonest first; fewer when the pattern does not come true so often again.
 * {@link fireTimes} says what becomes of times that a change of the clocks skips or repeats.
 */
export function nextFireTimes({ cron, timeZone }: Cron, count: number, afterMs: number): Date[] {
  return fireTimes(wallPattern(cron), clockOf(timeZone), afterMs)
    .take(count)
    .map((timeMs) => new Date(timeMs))
    .toArray();
}

/** The latest time after one instant and not after another, in milliseconds since the epoch; null when there is none. */
export function latestFireTime({ cron, timeZone }: Cron, afterMs: number, untilMs: number): number | null {
  const [pattern, clock] = [wallPattern(cron), clockOf(timeZone)];
  const nextUntil = (fromMs: number) => {
    const { value } = fireTimes(pattern, clock, fromMs).next() as IteratorResult<number, undefined>;
    return value !== undefined && value <= untilMs ? value : null;
  };
  let latestMs = nextUntil(afterMs);
  if (latestMs === null) return null;
  // Nothing comes after `emptyFromMs`: halving finds the last one without going through all of them.
  let emptyFromMs = untilMs;
  while (emptyFromMs - latestMs > 1) {
    const middleMs = Math.floor((latestMs + emptyFromMs) / 2);
    const next = nextUntil(middleMs);
    if (next === null) emptyFromMs = middleMs;
    else latestMs = next;
  }
  return nextUntil(latestMs) ?? latestMs;
}

/** Read in UTC, whose clocks nobody changes: the parser alone loses days on which a zone's clocks skip midnight. */
function wallPattern(cron: string): WallPattern {
  const expression = CronExpressionParser.parse(cron, { tz: 'UTC' });
  return {
    everyHour: expression.fields.hour.values.length === HOURS_OF_A_DAY,
    next: (afterMs) => {
      // The parser forgets milliseconds.
      expression.reset(new Date(Math.floor(afterMs / 1000) * 1000));
      try {
        return expression.next().getTime();
      } catch {
        return null;
      }
    },
  };
}

function assertSteps(cron: string, field: string, largest: number): void {
  for (const [, step] of field.matchAll(/\/(\d+)/g))
    if (Number(step) > largest)
      throw invalid(
        cron,
        `a step of ${step} in ${JSON.stringify(field)} is longer than the field, which ends at ${largest}`,
      );
}

function clockOf(timeZone: string): ZoneClock {
  try {
    return new ZoneClock(timeZone);
  } catch (cause) {
    throw new EmbedlineError(
      'USAGE',
      `There is no time zone ${JSON.stringify(timeZone)}. Expected an IANA name, e.g. Europe/Zurich or UTC.`,
      { cause },
    );
  }
}

function invalid(cron: string, reason: string, cause?: unknown): EmbedlineError {
  const message = `${JSON.stringify(cron)} is not a cron pattern: ${reason.replace(/\.$/, '')}. ${EXAMPLE}`;
  return new EmbedlineError('USAGE', message, { cause });
}
