/**
 * The safetensors format (https://github.com/huggingface/safetensors#format): eight bytes that hold the length of the
 * header, a JSON header with type, shape and byte range of each tensor, then the numbers, row by row. All of it is
 * little-endian, as every machine is that Node runs on.
 */
import { open } from 'node:fs/promises';
import { z } from 'zod';

/** Bytes per number of the types that are read here. */
const WIDTHS = { F64: 8, F32: 4, F16: 2, I8: 1, I32: 4, I64: 8 } as const;

export type TensorType = keyof typeof WIDTHS;

export interface TensorInfo {
  readonly type: TensorType;
  readonly shape: readonly number[];
}

export interface Tensor extends TensorInfo {
  /** The numbers, row by row, in a buffer of their own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const LENGTH_BYTES = 8;
/** The format's own limit is 100 MB; the header of a model with a handful of tensors is a few hundred bytes. */
const MAX_HEADER_BYTES = 1_000_000;

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const headerSchema = z.record(z.string(), z.unknown());

interface TensorEntry {
  readonly info: TensorInfo;
  /** Within the file. */
  readonly start: number;
  readonly end: number;
}

/**
 * Names, types and shapes of a file's tensors, without their numbers.
 * @throws Error that says what is wrong with the file
 */
export async function readTensorInfos(path: string): Promise<ReadonlyMap<string, TensorInfo>> {
  await using file = await open(path);
  const entries = await readEntries(file);
  return new Map([...entries].map(([name, { info }]) => [name, info]));
}

/**
 * The tensors of these names, as far as they are there.
 * @throws Error that says what is wrong with the file
 */
export async function readTensors(
  path: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, Tensor>> {
  await using file = await open(path);
  const entries = await readEntries(file);
  const tensors = new Map<string, Tensor>();
  for (const name of names) {
    const entry = entries.get(name);
    if (entry === undefined) continue;
    const { info, start, end } = entry;
    tensors.set(name, { ...info, bytes: await readRange(file, start, end) });
  }
  return tensors;
}

/** A file of these tensors, in the order given. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { type, shape, bytes }] of tensors) {
    header[name] = { dtype: type, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces up to a multiple of eight: the numbers are aligned in a file that is mapped into memory.
  const padding = Buffer.alloc((LENGTH_BYTES - (json.length % LENGTH_BYTES)) % LENGTH_BYTES, ' ');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(json.length + padding.length));
  return Buffer.concat([length, json, padding, ...[...tensors.values()].map(({ bytes }) => bytes)]);
}

type OpenFile = Awaited<ReturnType<typeof open>>;

async function readEntries(file: OpenFile): Promise<Map<string, TensorEntry>> {
  const { size } = await file.stat();
  const lengthBytes = await readRange(file, 0, LENGTH_BYTES);
  const headerLength = Number(Buffer.from(lengthBytes.buffer).readBigUInt64LE());
  const dataStart = LENGTH_BYTES + headerLength;
  if (headerLength > MAX_HEADER_BYTES || dataStart > size) {
    throw new Error(`its header is said to be ${headerLength} bytes long`);
  }
  const text = new TextDecoder('utf-8', { fatal: true }).decode(
    await readRange(file, LENGTH_BYTES, dataStart),
  );
  const header = headerSchema.parse(JSON.parse(text));
  const entries = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') entries.set(name, parseEntry(name, value, dataStart, size));
  }
  return entries;
}

function parseEntry(name: string, value: unknown, dataStart: number, fileSize: number): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = entrySchema.parse(value);
  const info = { type: typeOf(name, dtype), shape };
  const [start, end] = [dataStart + offsets[0], dataStart + offsets[1]];
  const expected = shape.reduce((product, size) => product * size, WIDTHS[info.type]);
  if (end - start !== expected || end > fileSize) {
    throw new Error(
      `tensor ${JSON.stringify(name)} is ${dtype} [${shape.join(', ')}], but has ${end - start} bytes in a file of ${fileSize}`,
    );
  }
  return { info, start, end };
}

function typeOf(name: string, dtype: string): TensorType {
  if (Object.hasOwn(WIDTHS, dtype)) return dtype as TensorType;
  throw new Error(
    `tensor ${JSON.stringify(name)} is of type ${dtype}, not one of ${Object.keys(WIDTHS).join(', ')}`,
  );
}

async function readRange(file: OpenFile, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) throw new Error('it ends too early');
    filled += bytesRead;
  }
  return bytes;
}
