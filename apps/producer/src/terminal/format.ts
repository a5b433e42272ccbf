/** 1234567 as `1,234,567`, whatever the locale. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `1 dead letter`, `1,234 dead letters`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Few digits for rates: `0.7`, `12.3`, `1,234`. */
export function formatRate(value: number): string {
  return value < 100 ? value.toFixed(1) : formatCount(value);
}

/** `8 s`, `1 min 12 s`, `3 h 05 min`, `2 d 3 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `812 bytes`, `7.9 kB`, `1.2 MB`, in thousands. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return countOf(bytes, 'byte');
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : formatMegabytes(bytes);
}

/** `7.9 MB`, in millions as disks are counted. */
export function formatMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
