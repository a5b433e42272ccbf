/** `2026-05-05 03:00 +02:00`: a time as clocks in a zone show it, and how far they are ahead of UTC. With seconds on demand. */
export function zonedTime(date: Date, timeZone: string, withSeconds = false): string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
  });
  const parts = new Map(format.formatToParts(date).map(({ type, value }) => [type, value]));
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? '';
  const seconds = withSeconds ? `:${part('second')}` : '';
  const offset = part('timeZoneName').replace('GMT', '');
  const day = `${part('year')}-${part('month')}-${part('day')}`;
  return `${day} ${part('hour')}:${part('minute')}${seconds} ${offset === '' ? 'UTC' : offset}`;
}
