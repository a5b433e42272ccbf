/** FNV-1a over UTF-16 units (32 bits, unsigned): quick, and good enough to choose places by. Not for identity. */
export function hashText(text: string, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let position = start; position < end; position += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(position), 0x01000193);
  }
  // The low bits of FNV are weak for short texts: fold the high ones in.
  return (hash ^ (hash >>> 15)) >>> 0;
}
