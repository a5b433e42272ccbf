/** `scheme://user:password@host`: everything up to the last @ before the path is credentials. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*(?:@[^\s/@]*)*@/gi;
const NAMES = 'api[-_]?key|authorization|password|requirepass|token|secret';
const KEY_VALUE = new RegExp(
  `\\b(${NAMES})(["']?\\s*[:=]\\s*["']?)(?:bearer\\s+|basic\\s+)?[^\\s"',;)}]+`,
  'gi',
);
const FLAG_VALUE = new RegExp(`(--[a-z-]*(?:${NAMES})\\s+)[^\\s"',;)}]+`, 'gi');

/** A shorter one would take ordinary words out of messages; it is found beside its name and in URLs only. */
const MIN_SECRET_CHARACTERS = 8;
/** Of this process, longest first. There is one process, and its messages are made everywhere. */
let secrets: readonly string[] = [];

/** From now on these are taken out of every message, wherever they stand in it. */
export function rememberSecrets(values: Iterable<string | null | undefined>): void {
  const added = [...values].filter((value) => typeof value === 'string');
  const all = new Set([...secrets, ...added.filter(({ length }) => length >= MIN_SECRET_CHARACTERS)]);
  secrets = [...all].sort((a, b) => b.length - a.length);
}

/**
 * The password of a URL, as it is written there and as it is meant; none when there is none. URLs that no parser takes
 * (several hosts, a password that is not escaped) have one too: everything up to the last @.
 */
export function passwordsOf(url: string | null | undefined): string[] {
  const credentials = /^[^/?#]*:\/\/(.*)@/s.exec(url ?? '')?.[1];
  const password = credentials?.split(/:(.*)/s)[1];
  if (password === undefined || password === '') return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/**
 * Takes secrets out of a text that is about to be shown or stored: those of this process, credentials in URLs, and the
 * values of well-known secret names.
 */
export function redactSecrets(text: string): string {
  let redacted = text;
  for (const secret of secrets) redacted = redacted.replaceAll(secret, '[redacted]');
  return redacted
    .replace(URL_CREDENTIALS, '$1[redacted]@')
    .replace(KEY_VALUE, '$1$2[redacted]')
    .replace(FLAG_VALUE, '$1[redacted]');
}

/** The same error, with a message and a stack that may be stored: BullMQ keeps both of what a job throws. */
export function redactError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? redactSecrets(error) : error;
  error.message = redactSecrets(error.message);
  if (error.stack !== undefined) error.stack = redactSecrets(error.stack);
  return error;
}
