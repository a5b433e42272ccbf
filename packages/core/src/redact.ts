/** `scheme://user:password@host`: everything up to the last @ before the path is credentials. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*(?:@[^\s/@]*)*@/gi;
const KEY_VALUE =
  /\b(api[-_]?key|authorization|password|requirepass|token|secret)(["']?\s*[:=]\s*["']?)(?:bearer\s+)?[^\s"',;)}]+/gi;

/** Takes passwords in URLs and values of well-known secret names out of a text that is about to be shown or stored. */
export function redactSecrets(text: string): string {
  return text.replace(URL_CREDENTIALS, '$1[redacted]@').replace(KEY_VALUE, '$1$2[redacted]');
}
