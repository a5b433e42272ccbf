import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';

/** The encodings that the reader finds out by itself. */
const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be', 'iso-2022-jp'] as const;

/**
 * Why a text is not what a file holds, or null: the file as it is decoded in one of the encodings that are found out,
 * without its byte order mark, and nothing else. Reads the file by other means than the reader does.
 */
export async function problemOfText(path: string, text: string): Promise<string | null> {
  const raw = await readFile(path);
  const bytes = raw.subarray(0, 3).equals(Buffer.from([0x1f, 0x8b, 0x08])) ? gunzipSync(raw) : raw;
  const isRight = ENCODINGS.some((encoding) => decoded(bytes, encoding) === text);
  return isRight ? null : `its text (${text.length} characters) is not what the file holds`;
}

function decoded(bytes: Buffer, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Why what stands before a document's body is no front matter, or null. */
export function problemOfFrontMatter(text: string, bodyStart: number): string | null {
  if (bodyStart === 0) return null;
  const lines = text
    .slice(0, bodyStart)
    .trimEnd()
    .split(/\r\n?|\n/);
  const [first, last] = [lines[0]?.trimEnd(), lines.at(-1)];
  const isClosed =
    (first === '---' && (last === '---' || last === '...')) ||
    (first === '+++' && last === '+++') ||
    (first === '{' && last === '}');
  return isClosed && lines.length > 1 ? null : `${bodyStart} characters at its beginning are in no chunk`;
}
