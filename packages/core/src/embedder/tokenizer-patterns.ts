import { EmbedlineError } from '../errors.ts';
import { callWithin } from './bounded-call.ts';

/** What a tokenizer may take for one text. Those that are made for models take a few milliseconds for the longest chunk. */
export const TOKENIZER_LIMIT_MS = 2_000;
/** Shorter texts are not worth the cost of a guard: {@link guardPatterns} has tried as much. */
const GUARDED_CHARACTERS = 200;
const PROBE_CHARACTERS = 1_000;
/** What a pattern does not expect behind them; a normalizer may take some of it away. */
const ENDS = ['\u0001', '!', '§', ''];
/** By how much all replacements together may lengthen a text. */
const MAX_GROWTH = 4_096;

/**
 * Regular expressions that come with a model's tokenizer are code that somebody else wrote: one of them may take longer
 * than anybody waits, and would hold up the thread that renews locks. Tried out when the tokenizer is loaded, on texts that
 * its own patterns speak of; later, each text that is not short has a limit.
 * @param definition of tokenizer.json
 * @param encode the tokenizer's own
 * @returns that function, or one with a limit where the tokenizer has patterns
 * @throws EmbedlineError MODEL_INVALID
 */
export function guardPatterns<T>(
  definition: unknown,
  encode: (text: string, withSpecialTokens: boolean) => T,
  { directory, limitMs }: { readonly directory: string; readonly limitMs: number },
): (text: string, withSpecialTokens: boolean) => T {
  const { patterns, growth } = inspect(definition);
  if (growth > MAX_GROWTH)
    throw unusable(directory, `its replacements may make a text ${growth} times as long`);
  if (patterns.length === 0) return encode;
  const guarded = (text: string, withSpecialTokens: boolean) =>
    callWithin(
      limitMs,
      () => encode(text, withSpecialTokens),
      () => unusable(directory, `it takes more than ${limitMs / 1000} s for ${text.length} characters`),
    );
  for (const unit of unitsOf(patterns))
    for (const end of ENDS) guarded(unit.repeat(PROBE_CHARACTERS / unit.length) + end, false);
  return (text, withSpecialTokens) =>
    (text.length < GUARDED_CHARACTERS ? encode : guarded)(text, withSpecialTokens);
}

function unusable(directory: string, why: string): EmbedlineError {
  return new EmbedlineError(
    'MODEL_INVALID',
    `The tokenizer of the model in ${directory} is not usable: ${why}. Its tokenizer.json is damaged or hostile. ` +
      `Fetch the model again from its source, or take another one.`,
  );
}

/** Every `Regex` anywhere in the definition, and what replacements and prefixes multiply a text's length by. */
function inspect(value: unknown): { readonly patterns: readonly string[]; readonly growth: number } {
  if (typeof value !== 'object' || value === null) return { patterns: [], growth: 1 };
  const record = value as Record<string, unknown>;
  const patterns = typeof record['Regex'] === 'string' ? [record['Regex']] : [];
  let growth = 1;
  if (record['type'] === 'Replace' && typeof record['content'] === 'string')
    growth = Math.max(1, record['content'].length);
  for (const [name, inner] of Object.entries(record)) {
    // A vocabulary has neither, and a million entries.
    if (name === 'vocab' || name === 'merges' || name === 'added_tokens') continue;
    const found = inspect(inner);
    for (const pattern of found.patterns) patterns.push(pattern);
    growth *= found.growth;
  }
  return { patterns, growth };
}

/** Characters that a pattern itself speaks of are those that it goes back and forth over. */
function unitsOf(patterns: readonly string[]): string[] {
  const letters = patterns.flatMap(
    (pattern) => pattern.replaceAll(/\\./g, '').match(/[\p{L}\p{N} '"_.,:;#@/-]/gu) ?? [],
  );
  const own = [...new Set(letters)].slice(0, 8);
  const pairs = own.slice(0, 3).flatMap((one) => [`${one} `, `a${one}`]);
  return [...new Set(['a', ' ', '0', '\n', '.', ...own, ...pairs])];
}
