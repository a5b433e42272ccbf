const DAY = /^(?<year>\d{4})-(?<month>\d\d?)-(?<day>\d\d?)/;
const TIME = /^(?<separator>[Tt ])(?<hour>\d\d?):(?<minute>\d\d)(?::(?<second>\d\d)(?:\.(?<fraction>\d+))?)?/;
const ZONE = /^(?:[Zz]| ?(?<sign>[+-])(?<hours>\d\d)(?::?(?<minutes>\d\d))?)?$/;
const NAMED_UTC = / (?:UTC|GMT)$/;

interface DateParts {
  /** `2024-05-01` */
  readonly day: string;
  /** Null when only a day is written. */
  readonly time: TimeParts | null;
}

interface TimeParts {
  /** What stands between the day and the time. */
  readonly separator: string;
  /** `12:30` */
  readonly minute: string;
  /** Null when it is not written. 60, a leap second, is the first second of the next minute. */
  readonly second: string | null;
  readonly fraction: string;
  /** `Z` or `+01:00`; null when it is not written, which means UTC. */
  readonly zone: string | null;
}

/** The time that a date spells, both ends included, as instants that compare like texts: `2024-05-01T00:00:00.000000Z`. */
export interface DateSpan {
  readonly from: string;
  /** The last microsecond of a day; of a time, the same as `from`. */
  readonly to: string;
}

/**
 * The span of time that a text names: a day (`2024-05-01`), or a day and a time (`2024-05-01T12:30:00.5+02:00`). A blank
 * may stand for the T; seconds may be missing. A zone may be written `+02`, ` -0600` or ` UTC`; without one it is UTC.
 * @returns null when it is something else, or a day that the calendar does not have
 */
export function parseDate(text: string): DateSpan | null {
  const parts = dateParts(text);
  const from = parts === null ? null : instantOf(parts);
  if (parts === null || from === null) return null;
  return { from, to: parts.time === null ? `${parts.day}T23:59:59.999999Z` : from };
}

/** The same date as RFC 3339 writes it, which every store can compare; null for what {@link parseDate} does not take. */
export function toRfc3339(text: string): string | null {
  const parts = dateParts(text);
  if (parts === null || instantOf(parts) === null) return null;
  if (parts.time === null) return parts.day;
  const { minute, second, fraction, zone } = parts.time;
  return `${parts.day}T${minute}:${second ?? '00'}${fraction === '' ? '' : `.${fraction}`}${zone ?? 'Z'}`;
}

/**
 * The first instant of a date as it is stored, if it is written in a way that every store compares as a date. What
 * {@link toRfc3339} writes is; Qdrant does not know a zone by name, nor a time without seconds, but `2024-05-01 12:30`.
 */
export function storedInstant(text: string): string | null {
  const parts = dateParts(text);
  if (parts === null || (parts.time !== null && !isComparable(text, parts.time))) return null;
  return instantOf(parts);
}

function isComparable(text: string, { separator, second, zone }: TimeParts): boolean {
  if (zone !== null) return second !== null && !NAMED_UTC.test(text);
  return separator === ' ' || (separator === 'T' && second !== null);
}

function dateParts(text: string): DateParts | null {
  const written = text.replace(NAMED_UTC, 'Z');
  const found = DAY.exec(written);
  const { year = '', month = '', day = '' } = found?.groups ?? {};
  if (found === null || !isDay(Number(year), Number(month), Number(day))) return null;
  const calendarDay = `${year}-${twoDigits(month)}-${twoDigits(day)}`;
  const rest = written.slice(found[0].length);
  if (rest === '') return { day: calendarDay, time: null };
  const time = timeParts(rest);
  return time === null ? null : { day: calendarDay, time };
}

function timeParts(written: string): TimeParts | null {
  const found = TIME.exec(written);
  const zone = found === null ? null : ZONE.exec(written.slice(found[0].length));
  if (found === null || zone === null) return null;
  const { separator = '', hour = '', minute = '', second = null, fraction = '' } = found.groups ?? {};
  const { sign, hours = '00', minutes = '00' } = zone.groups ?? {};
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 60) return null;
  if (Number(hours) > 23 || Number(minutes) > 59) return null;
  const offset = sign === undefined ? 'Z' : `${sign}${hours}:${minutes}`;
  const clock = { minute: `${twoDigits(hour)}:${minute}`, second, fraction };
  return { separator, ...clock, zone: zone[0] === '' ? null : offset };
}

/** Null beyond the years 0000 to 9999 of UTC, which an offset may lead to. */
function instantOf({ day, time }: DateParts): string | null {
  if (time === null) return `${day}T00:00:00.000000Z`;
  const start = Date.parse(`${day}T${time.minute}:00${time.zone ?? 'Z'}`);
  const instant = new Date(start + Number(time.second ?? 0) * 1000).toISOString();
  if (!/^\d{4}-/.test(instant)) return null;
  return `${instant.slice(0, 19)}.${time.fraction.slice(0, 6).padEnd(6, '0')}Z`;
}

function isDay(year: number, month: number, day: number): boolean {
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, isLeapYear ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day >= 1 && day <= days;
}

function twoDigits(digits: string): string {
  return digits.padStart(2, '0');
}
