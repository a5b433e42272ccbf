/**
 * A text whose lines end in \n: \r\n and \r are how other systems write the same. A corpus that goes from one to the
 * other (git's autocrlf) is unchanged so.
 */
export function withPlainLineEnds(text: string): string {
  return text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text;
}
