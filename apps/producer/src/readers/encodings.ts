import { isUtf8 } from 'node:buffer';
import { analyse } from 'chardet';
import { knownEncoding } from './encoding-names.ts';
import { peek } from './peek.ts';

/** What the bytes of a source stand for. */
export interface SourceEncoding {
  /** A label of the WHATWG Encoding Standard, in lower case. */
  readonly name: string;
  /** The beginning of the source as it is written; a guess is made from it. */
  readonly sample: Buffer;
}

export interface DecodedBlocks {
  /** The source in UTF-8. What its encoding does not know is a byte that UTF-8 does not know, so that it costs only its record. */
  readonly blocks: AsyncIterable<Buffer>;
  readonly encoding: SourceEncoding;
  /** What was found out, for people; null when the source is what it was taken for. */
  readonly note: string | null;
}

const SAMPLE_BYTES = 16 * 1024;
/** One or two pairs of bytes of another encoding may well be UTF-8 by chance. */
const LEAST_CHARACTERS = 3;
/** In no UTF-8 text. */
const INVALID = Buffer.from([0xff]);

/**
 * Turns a source into UTF-8. A byte order mark says what it is; else it is what was asked for; else UTF-16 is known by
 * its zeros, and everything else is taken for UTF-8.
 * @throws RangeError for UTF-32, which nothing here reads
 */
export async function decodeBlocks(
  source: AsyncIterable<Buffer>,
  asked: string | undefined,
): Promise<DecodedBlocks> {
  const { head, isAll, blocks } = await peek(source, SAMPLE_BYTES);
  const sample = head.subarray(0, SAMPLE_BYTES);
  const marked = byMark(head);
  if (marked === 'utf-32' || (asked === undefined && marked === null && isUtf32(sample))) {
    await blocks.return(undefined);
    throw new RangeError('it is UTF-32: convert it first, e.g. with iconv -f UTF-32 -t UTF-8');
  }
  const detected = marked ?? (asked === undefined ? utf16ByZeros(sample, isAll) : null);
  const name = detected ?? knownEncoding(asked ?? 'utf-8') ?? 'utf-8';
  const encoding = { name, sample };
  if (name === 'utf-8')
    return { blocks, encoding, note: asked === undefined ? null : noteOf(name, marked, asked) };
  const isUtf16 = name === 'utf-16le' || name === 'utf-16be';
  return {
    blocks: isUtf16 ? fromUtf16(blocks, name, marked === null ? 0 : 2) : fromOther(blocks, name),
    encoding,
    note: noteOf(name, marked, asked),
  };
}

function noteOf(name: string, marked: string | null, asked: string | undefined): string | null {
  if (marked === null) return asked === undefined ? `read as ${name}, without a byte order mark` : null;
  if (asked === undefined) return `read as ${name}`;
  return knownEncoding(asked) === name ? null : `read as ${name}, as its byte order mark says`;
}

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
    ? `${where}: say how it is encoded with --encoding, or convert it first, e.g. with iconv -t UTF-8`
    : `${where}: it seems to be ${guess}; read it with --encoding ${guess}, or convert it first, e.g. with iconv -t UTF-8`;
}

/** Whether what stands before a byte that is not UTF-8 holds several characters that no other encoding is likely to make. */
function isMixed(before: Uint8Array): boolean {
  let characters = 0;
  for (const byte of before) if (byte >= 0xc0) characters += 1;
  return characters >= LEAST_CHARACTERS;
}

/** What text that is not UTF-8 seems to be; null when nothing fits. */
function guessEncoding(bytes: Uint8Array): string | null {
  for (const { name, confidence } of analyse(bytes)) {
    // Windows' own superset of Latin-1 is what files called Latin-1 are in.
    const known = knownEncoding(name);
    if (confidence > 0 && known !== null && known !== 'utf-8' && decodes(bytes, known)) return known;
  }
  return decodes(bytes, 'windows-1252') ? 'windows-1252' : null;
}

function decodes(bytes: Uint8Array, encoding: string): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function isUtf8Prefix(bytes: Uint8Array): boolean {
  return isUtf8(bytes) || decodes(bytes, 'utf-8');
}

function byMark(head: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' | 'utf-32' | null {
  const begins = (...mark: number[]) => head.subarray(0, mark.length).equals(Buffer.from(mark));
  if (begins(0xff, 0xfe, 0, 0) || begins(0, 0, 0xfe, 0xff)) return 'utf-32';
  if (begins(0xff, 0xfe)) return 'utf-16le';
  if (begins(0xfe, 0xff)) return 'utf-16be';
  return begins(0xef, 0xbb, 0xbf) ? 'utf-8' : null;
}

/** Of the zeros of UTF-32, half and more stand three in a row at one place of each four bytes. */
function isUtf32(sample: Buffer): boolean {
  if (sample.length < 8) return false;
  const counts = [0, 0, 0, 0];
  for (const [index, byte] of sample.entries())
    if (byte === 0) counts[index % 4] = (counts[index % 4] ?? 0) + 1;
  const quarters = Math.floor(sample.length / 4);
  const [a = 0, b = 0, c = 0, d = 0] = counts;
  const isLittle = a === 0 && d >= quarters && c >= quarters && b > 0;
  const isBig = d === 0 && a >= quarters && b >= quarters && c > 0;
  return isLittle || isBig;
}

/** Blanks, line breaks, ASCII, and the punctuation of Chinese and Japanese: some of them are in every text. */
const USUAL = /[\t\n\r -~\u3001\u3002\uff0c]/g;
const LEAST_SHARE = 0.005;
/** In UTF-8 there are no zeros. Where a sample is both, so many must be on one side. */
const LEAST_ZEROS = 0.3;

/** The byte order in which a sample without a mark is a text, and one with usual characters; null for UTF-8. */
function utf16ByZeros(sample: Buffer, isAll: boolean): 'utf-16le' | 'utf-16be' | null {
  if (sample.length < 4 || (isAll && sample.length % 2 === 1)) return null;
  const isUtf8Too = isUtf8Prefix(sample);
  if (isUtf8Too && !sample.includes(0)) return null;
  const units = Math.floor(sample.length / 2);
  const [little, big] = (['utf-16le', 'utf-16be'] as const).map((name) => {
    const text = toText(sample.subarray(0, units * 2), name);
    return { name, text, usual: text.match(USUAL)?.length ?? 0 };
  });
  if (little === undefined || big === undefined || little.usual === big.usual) return null;
  const { name, text, usual } = little.usual > big.usual ? little : big;
  const least = isUtf8Too ? LEAST_ZEROS : LEAST_SHARE;
  return usual >= units * least && isPlausible(text) ? name : null;
}

function isPlausible(text: string): boolean {
  // The sample may end within a surrogate pair.
  const whole = text.replace(/[\ud800-\udbff]$/, '');
  return whole.isWellFormed() && !/[\p{Cn}\p{Co}]|(?![\t\n\f\r\u0085])\p{Cc}/u.test(whole);
}

function toText(bytes: Buffer, name: 'utf-16le' | 'utf-16be'): string {
  return (name === 'utf-16le' ? bytes : Buffer.from(bytes).swap16()).toString('utf16le');
}

async function* fromUtf16(
  blocks: AsyncIterable<Buffer>,
  name: 'utf-16le' | 'utf-16be',
  markBytes: number,
): AsyncGenerator<Buffer> {
  let skip = markBytes;
  let left: Buffer = Buffer.alloc(0);
  let half = '';
  for await (const block of blocks) {
    const bytes = Buffer.concat([left, block.subarray(Math.min(skip, block.length))]);
    skip -= Math.min(skip, block.length);
    const whole = bytes.length - (bytes.length % 2);
    left = Buffer.from(bytes.subarray(whole));
    const text = half + toText(bytes.subarray(0, whole), name);
    half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : '';
    yield toUtf8(half === '' ? text : text.slice(0, -1));
  }
  if (half !== '' || left.length > 0) yield INVALID;
}

/** Halves of surrogate pairs become bytes that are not UTF-8. */
function toUtf8(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = text.split(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/);
  return joined(parts);
}

async function* fromOther(blocks: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(name);
  for await (const block of blocks) yield marked(decoder.decode(block, { stream: true }));
  yield marked(decoder.decode());
}

/** The decoder puts U+FFFD where bytes mean nothing. */
function marked(text: string): Buffer {
  return text.includes('\uFFFD') ? joined(text.split('\uFFFD')) : Buffer.from(text);
}

function joined(parts: readonly string[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part, index) => (index === 0 ? [Buffer.from(part)] : [INVALID, Buffer.from(part)])),
  );
}
