const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws RangeError that names the first byte that is not UTF-8 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new RangeError(
      `not UTF-8 at byte ${firstInvalidByte(bytes) + 1}: convert it first, e.g. with iconv -t UTF-8`,
    );
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
  return Math.max(invalid - 1, 0);
}

function isValidPrefix(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}
