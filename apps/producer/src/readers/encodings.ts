import { isUtf32, utf16WithoutMark, utf16Text, usesIso2022Jp } from './detect-encoding.ts';
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
/** In no UTF-8 text. */
const INVALID = Buffer.from([0xff]);

/**
 * Turns a source into UTF-8. A byte order mark says what it is; else it is what was asked for; else UTF-16 is known by
 * the places of its small bytes, ISO-2022-JP by its escapes, and everything else is taken for UTF-8.
 * @throws RangeError for UTF-32, which nothing here reads
 */
export async function decodeBlocks(
  source: AsyncIterable<Buffer>,
  asked: string | undefined,
): Promise<DecodedBlocks> {
  const { head, blocks, close } = await peek(source, SAMPLE_BYTES);
  const sample = head.subarray(0, SAMPLE_BYTES);
  const marked = byMark(head);
  if (marked === 'utf-32' || (asked === undefined && marked === null && isUtf32(sample))) {
    await close();
    throw new RangeError('it is UTF-32: convert it first, e.g. with iconv -f UTF-32 -t UTF-8');
  }
  const detected = marked ?? (asked === undefined ? detect(sample) : null);
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

function detect(sample: Buffer): string | null {
  return usesIso2022Jp(sample) ? 'iso-2022-jp' : utf16WithoutMark(sample);
}

function noteOf(name: string, marked: string | null, asked: string | undefined): string | null {
  if (marked === null && asked === undefined)
    return `read as ${name}${name.startsWith('utf-16') ? ', without a byte order mark' : ''}`;
  if (marked === null) return null;
  if (asked === undefined) return `read as ${name}`;
  return knownEncoding(asked) === name ? null : `read as ${name}, as its byte order mark says`;
}

function byMark(head: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' | 'utf-32' | null {
  const begins = (...mark: number[]) => head.subarray(0, mark.length).equals(Buffer.from(mark));
  if (begins(0xff, 0xfe, 0, 0) || begins(0, 0, 0xfe, 0xff)) return 'utf-32';
  if (begins(0xff, 0xfe)) return 'utf-16le';
  if (begins(0xfe, 0xff)) return 'utf-16be';
  return begins(0xef, 0xbb, 0xbf) ? 'utf-8' : null;
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
    const text = half + utf16Text(bytes.subarray(0, whole), name);
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
