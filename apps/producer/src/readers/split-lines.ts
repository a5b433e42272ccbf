/** One line, or the news that a line was too long to be held. */
export type Line =
  | { readonly type: 'line'; readonly number: number; readonly bytes: Buffer }
  | { readonly type: 'too-long'; readonly number: number; readonly length: number };

/**
 * Splits bytes at 0x0A and nowhere else: U+2028 and a lone \r are legal inside JSON strings, where node:readline
 * splits (hazards S11). Strips \r before the end and one byte order mark. A line longer than `maxLineBytes` is counted,
 * not held.
 */
export async function* splitLines(blocks: AsyncIterable<Buffer>, maxLineBytes: number): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let length = 0;
  let number = 1;
  const take = (): Line => {
    const line: Line =
      length > maxLineBytes
        ? { type: 'too-long', number, length }
        : {
            type: 'line',
            number,
            bytes: clean(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts), number),
          };
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

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

function clean(bytes: Buffer, number: number): Buffer {
  const start = number === 1 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0;
  const end = bytes.at(-1) === 0x0d ? bytes.length - 1 : bytes.length;
  return bytes.subarray(start, Math.max(start, end));
}
