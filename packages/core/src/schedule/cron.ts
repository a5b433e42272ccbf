import { CronExpressionParser } from 'cron-parser';
import { EmbedlineError, messageOf } from '../errors.ts';

/** When something is to happen: a pattern and the time zone in which it is read. */
export interface Cron {
  /** Five or six fields, e.g. `0 3 * * *`; six begin with seconds. */
  readonly cron: string;
  /** IANA name, e.g. `Europe/Zurich`. */
  readonly timeZone: string;
}

/**
 * Checks what the scheduler itself would take too easily (hazards B33): three fields, or a shorthand.
 * @throws EmbedlineError USAGE that says what was expected
 */
export function assertCron({ cron, timeZone }: Cron): void {
  const fields = cron.trim().split(/\s+/);
  if (cron.trim().startsWith('@') || fields.length < 5 || fields.length > 6) {
    throw new EmbedlineError(
      'USAGE',
      `${JSON.stringify(cron)} is no cron pattern: expected five fields (minute, hour, day of month, month, day of week), ` +
        `e.g. "0 3 * * *" for every day at three.`,
    );
  }
  assertTimeZone(timeZone);
  try {
    CronExpressionParser.parse(cron, { tz: timeZone }).next();
  } catch (cause) {
    throw new EmbedlineError(
      'USAGE',
      `${JSON.stringify(cron)} is no cron pattern: ${messageOf(cause)}. Expected e.g. "0 3 * * *" for every day at three.`,
      { cause },
    );
  }
}

/**
 * The next times, soonest first. A daily time that a change to summer time skips comes an hour later on that day; one
 * that comes twice in autumn is taken once. Computed by the library that the queue's scheduler computes with.
 */
export function nextFireTimes({ cron, timeZone }: Cron, count: number, afterMs: number): Date[] {
  const times = CronExpressionParser.parse(cron, { tz: timeZone, currentDate: new Date(afterMs) });
  return Array.from({ length: count }, () => times.next().toDate());
}

function assertTimeZone(timeZone: string): void {
  const offsets = [0, 6].map((month) => utcOffsetMinutes(timeZone, new Date(Date.UTC(2026, month, 1))));
  const [winter = 0, summer = 0] = offsets;
  if ((winter - summer) % 60 === 0) return;
  // cron-parser 5.10.3 finds no way over such a change ("loop limit exceeded").
  throw new EmbedlineError(
    'USAGE',
    `Clocks in ${timeZone} are changed by less than an hour, which the scheduler cannot follow. Give the pattern in UTC.`,
  );
}

function utcOffsetMinutes(timeZone: string, date: Date): number {
  try {
    const format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
    const name = format.formatToParts(date).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign = '+', hours = '0', minutes = '0'] = /GMT([+-])(\d+):(\d+)/.exec(name) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  } catch (cause) {
    throw new EmbedlineError(
      'USAGE',
      `There is no time zone ${JSON.stringify(timeZone)}. Expected an IANA name, e.g. Europe/Zurich or UTC.`,
      { cause },
    );
  }
}
