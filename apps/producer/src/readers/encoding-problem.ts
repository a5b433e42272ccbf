import { analyse } from 'chardet';
import { decodes, isUtf8Prefix } from './decodes.ts';
import { knownEncoding } from './encoding-names.ts';
import type { SourceEncoding } from './encodings.ts';

/** One or two pairs of bytes of another encoding may well be UTF-8 by chance. */
const LEAST_CHARACTERS = 3;
/** Of less than this a guess is as likely to be wrong as right. */
const LEAST_BYTES = 20;
/** What the detector says of everything that an encoding of several bytes a character could mean. */
const LEAST_CONFIDENCE = 10;

/** Says what is wrong with bytes of a record, and what to do. */
export function encodingProblem(
  bytes: Uint8Array,
  firstInvalid: number,
  encoding: SourceEncoding | undefined,
): string {
  if (encoding !== undefined && encoding.name !== 'utf-8')
    return `it holds bytes that are not ${encoding.name} (--encoding)`;
  const where = `not UTF-8 at byte ${firstInvalid + 1}`;
  if (isMixed(bytes.subarray(0, firstInvalid)))
    return `${where}, though it is UTF-8 before: two encodings are mixed in it. Correct it there, or drop such bytes with iconv -c -f UTF-8 -t UTF-8`;
  const guess = guessEncoding(
    encoding !== undefined && !isUtf8Prefix(encoding.sample) ? encoding.sample : bytes,
  );
  return guess === null
    ? `${where}: its encoding is not clear. Name it, e.g. --encoding windows-1252, or convert it first, e.g. with iconv -t UTF-8`
    : `${where}: it seems to be ${guess}; read it with --encoding ${guess}, or convert it first, e.g. with iconv -t UTF-8`;
}

/** Whether what stands before a byte that is not UTF-8 holds several characters that no other encoding is likely to make. */
function isMixed(before: Uint8Array): boolean {
  let characters = 0;
  for (const byte of before) if (byte >= 0xc0) characters += 1;
  return characters >= LEAST_CHARACTERS;
}

/** What text that is not UTF-8 seems to be; null when it is too short to tell, or like nothing that is known. */
function guessEncoding(bytes: Uint8Array): string | null {
  if (bytes.length < LEAST_BYTES) return null;
  for (const { name, confidence } of analyse(bytes)) {
    // Windows' own superset of Latin-1 is what files called Latin-1 are in.
    const known = knownEncoding(name);
    if (confidence > LEAST_CONFIDENCE && known !== null && known !== 'utf-8' && decodes(bytes, known))
      return isPlausible(bytes, known) ? known : null;
  }
  return decodes(bytes, 'windows-1252') && isPlausible(bytes, 'windows-1252') ? 'windows-1252' : null;
}

/** What stands within words when bytes of DOS or of old Macs are taken for those of Windows. */
const WITHIN_WORDS = /\p{L}[€‚ƒ„†‡ˆ‰‹“”•˜™›¡¢£¤¥¦§¨©¬®¯°±¶¸¿]\p{L}/gu;
const MOST_WITHIN_WORDS = 2;

function isPlausible(bytes: Uint8Array, encoding: string): boolean {
  if (!encoding.startsWith('windows-125')) return true;
  const text = new TextDecoder(encoding).decode(bytes, { stream: true });
  return (text.match(WITHIN_WORDS)?.length ?? 0) <= MOST_WITHIN_WORDS;
}
