/**
 * A date as filters understand it: `2024-05-01`, or RFC 3339 with `T` or a blank, seconds and offset optional. Without an
 * offset it is UTC.
 */
const DATE =
  /^(?<day>\d{4}-\d\d-\d\d)(?:[Tt ](?<minute>(?:[01]\d|2[0-3]):[0-5]\d)(?::(?<second>[0-5]\d)(?:\.(?<fraction>\d+))?)?(?<offset>[Zz]|[+-]\d\d:?\d\d)?)?$/;
const MICROSECONDS_PER_MS = 1000;
const MICROSECONDS_PER_DAY = 24 * 3600 * 1000 * MICROSECONDS_PER_MS;

/** A date that a text spells: its first microsecond, and the first one after it. A day lasts a day, a time one microsecond. */
export interface DateSpan {
  /** Microseconds since the epoch, UTC. */
  readonly from: number;
  /** Exclusive. */
  readonly until: number;
}

/** The span of time that a text names, or null when it is not a date. */
export function parseDate(text: string): DateSpan | null {
  const groups = DATE.exec(text)?.groups;
  const day = groups?.['day'];
  if (groups === undefined || day === undefined || !isCalendarDay(day)) return null;
  const { minute = '00:00', second = '00', fraction = '' } = groups;
  const offset = offsetMs(groups['offset'] ?? 'Z');
  if (offset === null) return null;
  const ms = Date.parse(`${day}T${minute}:${second}Z`) - offset;
  const from = ms * MICROSECONDS_PER_MS + Number(fraction.slice(0, 6).padEnd(6, '0'));
  return { from, until: from + (groups['minute'] === undefined ? MICROSECONDS_PER_DAY : 1) };
}

/** RFC 3339, UTC, to the microsecond. */
export function formatInstant(microseconds: number): string {
  const ms = Math.floor(microseconds / MICROSECONDS_PER_MS);
  const rest = String(microseconds - ms * MICROSECONDS_PER_MS).padStart(3, '0');
  return new Date(ms).toISOString().replace('Z', `${rest}Z`);
}

/** `2024-02-30` is not one: Date.parse would make March of it. */
function isCalendarDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

function offsetMs(offset: string): number | null {
  if (/^z$/i.test(offset)) return 0;
  const [hours = 0, minutes = 0] = [offset.slice(1, 3), offset.slice(-2)].map(Number);
  if (hours > 23 || minutes > 59) return null;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
