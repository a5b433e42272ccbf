const NAMES = 'api[-_]?key|authorization|password|requirepass|token|secret';
const KEY_VALUE = new RegExp(
  `\\b(${NAMES})(["']?\\s*[:=]\\s*["']?)(?:bearer\\s+|basic\\s+)?[^\\s"',;)}]+`,
  'gi',
);
/** A flag and its value. Only the start of a word begins a flag, so that a row of dashes is looked at once. */
const FLAG_VALUE = /(?<![\w-])(--[a-z][a-z-]*)(\s+)([^\s"',;)}]+)/gi;
const SECRET_FLAG = new RegExp(NAMES, 'i');
const REDACTED = '[redacted]';

/** A message is for people: what is longer was not written by us, and is not worth the time to look through. */
const MAX_MESSAGE_CHARACTERS = 8 * 1024;
/** What may stand unfinished at the end of a text that was cut, and would not be known for a secret there. */
const MIN_TAIL_CHARACTERS = 512;

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
 * values of well-known secret names. Time is linear in the text, of which 8,192 characters are kept.
 */
export function redactSecrets(text: string): string {
  if (text.length <= MAX_MESSAGE_CHARACTERS) return redactAll(text);
  return `${shorten(redactAll(text.slice(0, MAX_MESSAGE_CHARACTERS)))}… (${text.length} characters in all)`;
}

function redactAll(text: string): string {
  let redacted = text;
  for (const secret of secrets) redacted = redacted.replaceAll(secret, REDACTED);
  return redactUrls(redacted)
    .replace(KEY_VALUE, `$1$2${REDACTED}`)
    .replace(FLAG_VALUE, (match, flag: string, space: string) =>
      SECRET_FLAG.test(flag) ? `${flag}${space}${REDACTED}` : match,
    );
}

/** Without the end of a text that was cut: half a secret, or credentials without their @, are not known for what they are. */
function shorten(cut: string): string {
  const tail = Math.max(MIN_TAIL_CHARACTERS, secrets[0]?.length ?? 0);
  const certain = cut.slice(0, Math.max(0, cut.length - tail)).toWellFormed();
  let lastWord = certain.length;
  while (lastWord > 0 && !/\s/.test(certain.charAt(lastWord - 1))) lastWord -= 1;
  return certain.indexOf('://', lastWord) === -1 ? certain : certain.slice(0, lastWord);
}

/** `scheme://user:password@host`: everything up to the last @ before the path is credentials. */
function redactUrls(text: string): string {
  let redacted = '';
  let done = 0;
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at + 3)) {
    const start = at + 3;
    let end = start;
    while (end < text.length && !/[\s/]/.test(text.charAt(end))) end += 1;
    const credentials = text.slice(start, end).lastIndexOf('@');
    if (credentials === -1 || !/[a-z0-9+.-]/i.test(text.charAt(at - 1))) continue;
    redacted += `${text.slice(done, start)}${REDACTED}`;
    done = start + credentials;
  }
  return redacted + text.slice(done);
}

/** The same error, with a message and a stack that may be stored: BullMQ keeps both of what a job throws. */
export function redactError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? redactSecrets(error) : error;
  error.message = redactSecrets(error.message);
  if (error.stack !== undefined) error.stack = redactSecrets(error.stack);
  return error;
}
