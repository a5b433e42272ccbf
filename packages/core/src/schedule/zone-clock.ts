/** A change of the clocks of a zone: from this instant on, they are `afterMs` ahead of UTC instead of `beforeMs`. */
export interface ClockChange {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** Changes are further apart than this: the shortest known distance is a week or two. */
const STEP_MS = 12 * 3600 * 1000;

/** What clocks in a time zone show, by the zone data of Node. Wall times are milliseconds as if the zone were UTC. */
export class ZoneClock {
  readonly timeZone: string;
  readonly #format: Intl.DateTimeFormat;

  /** @throws RangeError when there is no such zone */
  constructor(timeZone: string) {
    this.timeZone = timeZone;
    this.#format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  }

  /** How far the clocks are ahead of UTC, in milliseconds; negative to the west of it. */
  offsetMs(atMs: number): number {
    const name = this.#format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours, minutes, seconds = '0'] = /^GMT([+-])(\d+):(\d+)(?::(\d+))?$/.exec(name) ?? [];
    if (hours === undefined || minutes === undefined) return 0;
    const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    return (sign === '-' ? -1 : 1) * total * 1000;
  }

  /** The first change after one instant and not after another; null when there is none. */
  changeBetween(afterMs: number, untilMs: number): ClockChange | null {
    const beforeMs = this.offsetMs(afterMs);
    for (let startMs = afterMs; startMs < untilMs; startMs += STEP_MS) {
      const endMs = Math.min(startMs + STEP_MS, untilMs);
      if (this.offsetMs(endMs) !== beforeMs) return this.#bisect(startMs, endMs, beforeMs);
    }
    return null;
  }

  #bisect(startMs: number, endMs: number, beforeMs: number): ClockChange {
    // Changes are at whole seconds.
    let [low, high] = [Math.floor(startMs / 1000), Math.ceil(endMs / 1000)];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetMs(middle * 1000) === beforeMs) low = middle;
      else high = middle;
    }
    return { atMs: high * 1000, beforeMs, afterMs: this.offsetMs(high * 1000) };
  }
}
