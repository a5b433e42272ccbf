import { skipMarks } from './byte-order-marks.ts';

/** One line, or the news that a line was too long to be held. */
export type Line =
  | {
      readonly type: 'line';
      readonly number: number;
      readonly bytes: Buffer;
      /** Whether a byte order mark was taken off its beginning. */
      readonly hadMark: boolean;
    }
  | { readonly type: 'too-long'; readonly number: number; readonly length: number };

/**
 * Splits bytes at 0x0A and nowhere else: U+2028 and a lone \r are legal inside JSON strings, where node:readline
 * splits. Strips \r before the end, and byte order marks. A line longer than `maxLineBytes` is counted, not held.
 */
export async function* splitLines(blocks: AsyncIterable<Buffer>, maxLineBytes: number): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let length = 0;
  let number = 1;
  const take = (): Line => {
    const bytes = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
    const line: Line = length > maxLineBytes ? { type: 'too-long', number, length } : clean(bytes, number);
    parts = [];
    length = 0;
    number += 1;
    return line;
  };
  const add = (part: Buffer) => {
    length += part.length;
    if (length <= maxLineBytes) parts.push(part);
    else parts = [];
  };
  for await (const block of blocks) {
    let start = 0;
    for (let end = block.indexOf(0x0a); end !== -1; end = block.indexOf(0x0a, start)) {
      add(block.subarray(start, end));
      yield take();
      start = end + 1;
    }
    if (start < block.length) add(block.subarray(start));
  }
  if (length > 0) yield take();
}

function clean(bytes: Buffer, number: number): Line {
  const start = skipMarks(bytes, 0);
  const end = bytes.at(-1) === 0x0d ? bytes.length - 1 : bytes.length;
  return { type: 'line', number, bytes: bytes.subarray(start, end), hadMark: start > 0 };
}
