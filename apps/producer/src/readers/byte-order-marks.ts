/** U+FEFF in UTF-8. */
export const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** For people, of a file that has some beyond its beginning, as files that were joined have. */
export const MARKS_LEFT_OUT = 'byte order marks at the beginning of records are left out';

/** Behind the byte order marks that stand here. */
export function skipMarks(bytes: Buffer, from: number): number {
  let start = from;
  while (bytes.subarray(start, start + BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK))
    start += BYTE_ORDER_MARK.length;
  return start;
}

/** Whether what is left of a block may be the beginning of a mark. */
export function mayBeMark(bytes: Buffer, from: number): boolean {
  const left = bytes.subarray(from);
  return left.length > 0 && left.length < 3 && BYTE_ORDER_MARK.subarray(0, left.length).equals(left);
}
