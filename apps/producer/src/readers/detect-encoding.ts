import { isUtf8Prefix } from './decodes.ts';

type Utf16 = 'utf-16le' | 'utf-16be';

/** What switches to Japanese, and back to ASCII; no text in UTF-8 has both. */
const TO_JAPANESE = ['\u001b$@', '\u001b$B'];
const TO_ASCII = ['\u001b(B', '\u001b(J'];

/** Whether a sample is ISO-2022-JP, which is ASCII to those who do not know its escapes. */
export function usesIso2022Jp(sample: Buffer): boolean {
  const has = (escape: string) => sample.includes(escape);
  return TO_JAPANESE.some(has) && TO_ASCII.some(has) && sample.every((byte) => byte < 0x80);
}

/** Whether each four bytes of a sample are a character of Unicode, none of them NUL. */
export function isUtf32(sample: Buffer): boolean {
  if (sample.length < 8) return false;
  const whole = sample.length - (sample.length % 4);
  return [true, false].some((isLittle) => {
    for (let at = 0; at < whole; at += 4) {
      const point = isLittle ? sample.readUInt32LE(at) : sample.readUInt32BE(at);
      if (point === 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    }
    return true;
  });
}

/** Blanks, line breaks, ASCII, and the punctuation of Chinese and Japanese: some of them are in every text. */
const USUAL = /[\t\n\r -~\u3001\u3002\uff0c]/g;
const LEAST_SHARE = 0.005;
/** A control other than those between words and lines; a text in UTF-8 has none. */
const isControl = (byte: number) => byte < 0x09 || (byte > 0x0d && byte < 0x20);

/**
 * The byte order in which a sample without a mark is UTF-16; null when it is something else. A text in one of the scripts
 * below U+2000 has small bytes at every other place; one in Chinese, Japanese or Korean has usual characters between the
 * others, and is no UTF-8.
 */
export function utf16WithoutMark(sample: Buffer): Utf16 | null {
  if (sample.length < 4) return null;
  const isUtf8Too = isUtf8Prefix(sample);
  if (isUtf8Too && !sample.some(isControl)) return null;
  const whole = sample.subarray(0, sample.length - (sample.length % 2));
  const orders = (['utf-16le', 'utf-16be'] as const).filter((name) => isPlausible(utf16Text(whole, name)));
  const alphabetic = orders.filter((name) => isAlphabetic(whole, name));
  const [only] = alphabetic;
  if (alphabetic.length === 1 && only !== undefined) return only;
  if (isUtf8Too) return null;
  const [little, big] = (['utf-16le', 'utf-16be'] as const).map(
    (name) => utf16Text(whole, name).match(USUAL)?.length ?? 0,
  );
  if (little === undefined || big === undefined || little === big) return null;
  const name = little > big ? 'utf-16le' : 'utf-16be';
  const isUsual = Math.max(little, big) >= (whole.length / 2) * LEAST_SHARE;
  return isUsual && orders.includes(name) ? name : null;
}

const SMALL = 0x20;
const MOSTLY = 0.8;

/** Whether the high bytes of nearly all characters are small, and the low ones are not. */
function isAlphabetic(bytes: Buffer, name: Utf16): boolean {
  const highAt = name === 'utf-16le' ? 1 : 0;
  let [high, low] = [0, 0];
  for (const [index, byte] of bytes.entries()) {
    if (byte >= SMALL) continue;
    if (index % 2 === highAt) high += 1;
    else low += 1;
  }
  const units = bytes.length / 2;
  return high >= units * MOSTLY && low < high / 2;
}

function isPlausible(text: string): boolean {
  // The sample may end within a surrogate pair.
  const whole = text.replace(/[\ud800-\udbff]$/, '');
  return whole.isWellFormed() && !/[\p{Cn}\p{Co}]|(?![\t\n\f\r\u0085])\p{Cc}/u.test(whole);
}

export function utf16Text(bytes: Buffer, name: Utf16): string {
  return (name === 'utf-16le' ? bytes : Buffer.from(bytes).swap16()).toString('utf16le');
}
