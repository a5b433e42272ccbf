/** What a check has found: `doctor` shows all of them, and a program that starts refuses to when one is a problem. */
export interface Finding {
  /** What was looked at, e.g. `Redis persistence`. */
  readonly check: string;
  /** A `warning` costs time or safety; a `problem` keeps work from being done, or from being done right. */
  readonly verdict: 'ok' | 'warning' | 'problem';
  readonly found: string;
  /** What to do about it; null where nothing is to be done. */
  readonly remedy: string | null;
}

export function ok(check: string, found: string): Finding {
  return { check, verdict: 'ok', found, remedy: null };
}

export function warning(check: string, found: string, remedy: string): Finding {
  return { check, verdict: 'warning', found, remedy };
}

export function problem(check: string, found: string, remedy: string): Finding {
  return { check, verdict: 'problem', found, remedy };
}

/** A finding in one sentence or two, for whoever sees it without the others. */
export function describeFinding({ found, remedy }: Finding): string {
  return remedy === null ? found : `${found} ${remedy}`;
}
