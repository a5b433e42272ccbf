/**
 * Text from a corpus, a file name or a server, made safe to print: control characters (and with them every escape
 * sequence that could rewrite the terminal) and direction overrides become visible substitutes; line breaks become
 * spaces.
 */
export function safeText(text: string): string {
  return (
    text
      .replace(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, ' ')
      // oxlint-disable-next-line no-control-regex -- these are what is looked for
      .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\uFFFD')
  );
}
