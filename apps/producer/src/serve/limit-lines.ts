export interface LimitLinesOptions {
  /** Most lines a minute, the one that says how many were left out among them. */
  readonly perMinute: number;
  readonly report: (line: string) => void;
}

const MINUTE_MS = 60_000;

/**
 * Passes lines on as they come, but only so many a minute and the same one (whatever its numbers) once a minute; says at the end of the
 * minute how many were left out.
 */
export function limitLines({ perMinute, report }: LimitLinesOptions): {
  add(this: void, line: string): void;
  close(this: void): void;
} {
  let seen = new Set<string>();
  let leftOut = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    seen = new Set();
    if (leftOut > 0) report(`${leftOut} more lines like these were left out.`);
    leftOut = 0;
  };
  return {
    add: (line) => {
      timer ??= setTimeout(flush, MINUTE_MS).unref();
      const kind = line.replaceAll(/\d+/g, '0');
      if (seen.has(kind) || seen.size >= perMinute - 1) leftOut += 1;
      else {
        seen.add(kind);
        report(line);
      }
    },
    close: flush,
  };
}
