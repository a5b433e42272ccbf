const DATE = /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)$/;
const TIME =
  /^(?<hour>\d\d):(?<minute>\d\d)(?<seconds>:(?<second>\d\d)(?:\.\d+)?)?(?<zone>Z|[+-]\d\d(?::?\d\d)?)?$/i;

/**
 * A date, or a date and a time, as RFC 3339 writes them: `2026-01-31`, `2026-01-31T10:00:00+01:00`. Taken as well are a
 * blank for the T, a time without seconds, one without a zone, which is UTC, and zones as databases and Jekyll write them:
 * `+02`, ` -0600`, ` UTC`.
 * @returns null when it is something else, or a day that there is not
 */
export function rfc3339(written: string): string | null {
  const [date = '', time, ...more] = withZoneAtTime(written).split(/[Tt ]/);
  const day = DATE.exec(date)?.groups;
  if (day === undefined || more.length > 0) return null;
  const { year, month } = day;
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (!isWithin(month, 1, 12) || !isWithin(day['day'], 1, days)) return null;
  if (time === undefined) return date;
  const clock = TIME.exec(time)?.groups;
  if (clock === undefined) return null;
  const { hour, minute, second = '00', seconds, zone = 'Z' } = clock;
  if (!isWithin(hour, 0, 23) || !isWithin(minute, 0, 59) || !isWithin(second, 0, 60)) return null;
  const [zoneHour, zoneMinute = '00'] = zone.match(/\d\d/g) ?? [];
  if (zone.length > 1 && (!isWithin(zoneHour, 0, 23) || !isWithin(zoneMinute, 0, 59))) return null;
  return `${date}T${hour ?? ''}:${minute ?? ''}${seconds ?? ':00'}${zone.length > 1 ? `${zone.slice(0, 3)}:${zoneMinute}` : 'Z'}`;
}

/** Without the blank before a zone. */
function withZoneAtTime(written: string): string {
  return written.replace(/ (?:UTC|GMT)$/, 'Z').replace(/ (?=[+-]\d\d:?(?:\d\d)?$)/, '');
}

function isWithin(digits: string | undefined, least: number, most: number): boolean {
  return Number(digits) >= least && Number(digits) <= most;
}
