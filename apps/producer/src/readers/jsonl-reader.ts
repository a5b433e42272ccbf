import { messageOf, type Origin } from '@embedline/core';
import { decodeUtf8 } from './decode-text.ts';
import { reject, type ReadItem, type RecordOptions } from './read-item.ts';
import { parseJsonObject, type JsonObject } from './json-object.ts';
import { documentOf, keptNames, namesInUse } from './record.ts';
import { splitLines } from './split-lines.ts';

/**
 * One JSON object a line. A line that is none costs that line, and so does one that has a field in use twice, with
 * different values. Blank lines are skipped.
 */
export async function* readJsonl(
  blocks: AsyncIterable<Buffer>,
  file: string,
  options: RecordOptions,
): AsyncGenerator<ReadItem> {
  const names = { inUse: namesInUse(options), kept: keptNames(options) };
  for await (const line of splitLines(blocks, options.limits.maxLineBytes)) {
    const origin: Origin = { file, line: line.number };
    if (line.type === 'too-long') {
      const { maxLineBytes } = options.limits;
      yield reject(origin, {
        reason: `the line is ${line.length} bytes long, more than the ${maxLineBytes} allowed (--max-line-bytes)`,
      });
      continue;
    }
    const item = readLine(line.bytes, origin, options, names);
    if (item !== null) yield item;
  }
}

function readLine(
  bytes: Buffer,
  origin: Origin,
  options: RecordOptions,
  names: { readonly inUse: ReadonlySet<string>; readonly kept: ReadonlySet<string> },
): ReadItem | null {
  let text: string;
  try {
    text = decodeUtf8(bytes);
  } catch (error) {
    return reject(origin, { reason: messageOf(error), excerpt: bytes.toString('utf8', 0, 200) });
  }
  if (text.trim() === '') return null;
  let object: JsonObject | null;
  try {
    object = parseJsonObject(text, names.inUse, names.kept);
  } catch (error) {
    return reject(origin, { reason: `not JSON: ${parserMessage(error)}`, excerpt: text });
  }
  if (object === null) return reject(origin, { reason: 'not a JSON object', excerpt: text });
  return documentOf(object.fields, origin, 'jsonl', options, object.doubts);
}

/** The parser quotes the text at length; the excerpt is kept beside it anyway. */
function parserMessage(error: unknown): string {
  return messageOf(error)
    .replace(/,? \.{0,3}"[^]*$/, '')
    .slice(0, 200);
}
