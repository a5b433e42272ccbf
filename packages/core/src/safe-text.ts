/** Invisible and harmless: soft hyphens, zero-width spaces, word joiners, byte order marks. */
const INVISIBLE = /[\u00ad\u200b\u2060\ufeff]/g;
/**
 * Controls (C0, C1) and format characters, among them all that override the direction of text. The two that join letters
 * and emoji (U+200C, U+200D) are left alone.
 */
const STEERING = /[[\p{Cc}\p{Cf}]--[\u200c\u200d]]/gv;
/** The same, and the line ends that JSON has and JavaScript once had not. */
const STEERING_IN_JSON = /[[\p{Cc}\p{Cf}\u2028\u2029]--[\u200c\u200d]]/gv;

/**
 * Text from a corpus, a file name or a server, made safe to print: control characters (and with them every escape
 * sequence that could rewrite the terminal) and direction overrides become visible substitutes; line breaks become
 * spaces; what is only invisible is left out.
 */
export function safeText(text: string): string {
  return text
    .replace(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, ' ')
    .replace(INVISIBLE, '')
    .replace(STEERING, '\uFFFD');
}

/** JSON in one line that steers no terminal: what {@link safeText} substitutes is escaped here, so that nothing is lost. */
export function safeJson(value: unknown): string {
  const json = JSON.stringify(value);
  return json.replace(STEERING_IN_JSON, (character) =>
    Array.from({ length: character.length }, (_, index) => escapeUnit(character.charCodeAt(index))).join(''),
  );
}

function escapeUnit(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
