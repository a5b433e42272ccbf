import { encodingProblem } from './encoding-problem.ts';
import type { SourceEncoding } from './encodings.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * @param encoding what the bytes were before they became UTF-8, for the message
 * @throws RangeError that names the first byte that is not UTF-8, and what the text seems to be
 */
export function decodeUtf8(bytes: Uint8Array, encoding?: SourceEncoding): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new RangeError(encodingProblem(bytes, firstInvalidByte(bytes), encoding), { cause });
  }
}

/** Halves the range until the shortest prefix that fails is found; a cut within a character is no failure. */
function firstInvalidByte(bytes: Uint8Array): number {
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    if (isValidPrefix(bytes.subarray(0, middle))) valid = middle;
    else invalid = middle;
  }
  // Bytes of a character that is not complete belong to what is wrong.
  const complete = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, valid), {
    stream: true,
  });
  return Buffer.byteLength(complete);
}

function isValidPrefix(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
