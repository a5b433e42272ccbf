import { messageOf, type Origin } from '@embedline/core';
import { decodeUtf8 } from './decode-text.ts';
import { reject, type ReadItem, type RecordOptions } from './read-item.ts';
import { documentOf, type Fields } from './record.ts';
import { splitLines } from './split-lines.ts';

/** One JSON object a line. A line that is none costs that line. Blank lines are skipped. */
export async function* readJsonl(
  blocks: AsyncIterable<Buffer>,
  file: string,
  options: RecordOptions,
): AsyncGenerator<ReadItem> {
  for await (const line of splitLines(blocks, options.limits.maxLineBytes)) {
    const origin: Origin = { file, line: line.number };
    if (line.type === 'too-long') {
      const { maxLineBytes } = options.limits;
      yield reject(origin, {
        reason: `the line is ${line.length} bytes long, more than the ${maxLineBytes} allowed (--max-line-bytes)`,
      });
      continue;
    }
    const item = readLine(line.bytes, origin, options);
    if (item !== null) yield item;
  }
}

function readLine(bytes: Buffer, origin: Origin, options: RecordOptions): ReadItem | null {
  let text: string;
  try {
    text = decodeUtf8(bytes);
  } catch (error) {
    return reject(origin, { reason: messageOf(error), excerpt: bytes.toString('utf8', 0, 200) });
  }
  if (text.trim() === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return reject(origin, { reason: `not JSON: ${parserMessage(error)}`, excerpt: text });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return reject(origin, { reason: 'not a JSON object', excerpt: text });
  }
  return documentOf(value as Fields, origin, 'jsonl', options);
}

/** The parser quotes the text at length; the excerpt is kept beside it anyway. */
function parserMessage(error: unknown): string {
  return messageOf(error)
    .replace(/,? \.{0,3}"[^]*$/, '')
    .slice(0, 200);
}
