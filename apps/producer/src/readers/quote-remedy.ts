import type { CsvDialect } from './csv-fields.ts';

const ESCAPED_QUOTE = Buffer.from(String.raw`\"`);

/** What to do about bytes of CSV whose quotes are wrong, in parentheses. */
export function quoteRemedy(bytes: Buffer, { escape }: CsvDialect): string {
  if (escape === null && bytes.includes(ESCAPED_QUOTE))
    return String.raw` (if \" stands for a quote in this file, use --escape '\')`;
  return ' (double a quote inside quotes, or use --quote none if quotes have no meaning in this file)';
}
