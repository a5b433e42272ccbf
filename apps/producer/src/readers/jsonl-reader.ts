import { cutText, messageOf, type Origin } from '@embedline/core';
import { MARKS_LEFT_OUT } from './byte-order-marks.ts';
import { decodeUtf8 } from './decode-text.ts';
import { parseJsonObject, type JsonObject } from './json-object.ts';
import { peek } from './peek.ts';
import { reject, type ReaderOptions, type ReadItem } from './read-item.ts';
import { documentOf, namesInUse } from './record.ts';
import { splitLines } from './split-lines.ts';

/**
 * One JSON object a line. A line that is something else costs that line, and so does one that has its id, text or title
 * twice, with different values. Blank lines are skipped.
 */
export async function* readJsonl(
  source: AsyncIterable<Buffer>,
  file: string,
  options: ReaderOptions,
): AsyncGenerator<ReadItem> {
  const names = namesInUse(options);
  const { maxLineBytes } = options.limits;
  let hadMark = false;
  for await (const line of splitLines(await withOwnLineEnds(source), maxLineBytes)) {
    const origin: Origin = { file, line: line.number };
    hadMark ||= line.type === 'line' && line.hadMark && line.number > 1;
    if (line.type === 'line') yield* readLine(line.bytes, origin, options, names);
    else {
      const reason = `the line is ${line.length} bytes long, more than the ${maxLineBytes} allowed (--max-line-bytes)`;
      yield reject(origin, { reason });
    }
  }
  if (hadMark) yield { type: 'note', about: 'form', what: MARKS_LEFT_OUT, origin: { file } };
}

const [LF, CR] = [0x0a, 0x0d];
const SAMPLE_BYTES = 16 * 1024;

/** Old Macs end lines with \r alone, which JSON has only between its tokens: where no line ends otherwise, it is one. */
async function withOwnLineEnds(source: AsyncIterable<Buffer>): Promise<AsyncIterable<Buffer>> {
  const { head, blocks } = await peek(source, SAMPLE_BYTES);
  const isOldMac = head.includes('}\r') && !head.includes(LF);
  return isOldMac ? replaceCr(blocks) : blocks;
}

async function* replaceCr(blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const block of blocks) yield Buffer.from(block.map((byte) => (byte === CR ? LF : byte)));
}

function* readLine(
  bytes: Buffer,
  origin: Origin,
  options: ReaderOptions,
  names: ReadonlySet<string>,
): Generator<ReadItem> {
  let text: string;
  try {
    text = decodeUtf8(bytes, options.encoding);
  } catch (error) {
    yield reject(origin, { reason: messageOf(error), excerpt: bytes.toString('utf8', 0, 200) });
    return;
  }
  if (text.trim() === '') return;
  let object: JsonObject | null;
  try {
    object = parseJsonObject(text, names);
  } catch (error) {
    yield reject(origin, { reason: `not JSON: ${parserMessage(error)}${remedyFor(text)}`, excerpt: text });
    return;
  }
  if (object === null) yield reject(origin, { reason: `not a JSON object${remedyFor(text)}`, excerpt: text });
  else yield* documentOf({ ...object, origin, format: 'jsonl' }, options);
}

/** The parser quotes the text at length; the excerpt is kept beside it anyway. */
function parserMessage(error: unknown): string {
  return cutText(messageOf(error).replace(/,? \.{0,3}"[^]*$/, ''), 200);
}

/** What to do about a line that may be part of something other than JSON lines, in parentheses. */
function remedyFor(text: string): string {
  const line = text.trim();
  if (/^[[\]]/.test(line) || /^\{.*\},$/.test(line))
    return " (if the file is one JSON array, write each element on a line of its own, e.g. with jq -c '.[]')";
  if (/^[{}]$|^"[^"]*"\s*:/.test(line))
    return ' (each line must be one whole object; jq -c . writes an object that spans lines on one)';
  if (/[[:,]\s*-?(?:NaN|Infinity)\b/.test(line))
    return ' (JSON has no NaN and no Infinity: write null, or leave the field out)';
  return '';
}
