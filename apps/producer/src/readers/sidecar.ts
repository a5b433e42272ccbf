import { messageOf, type Metadata, type Origin } from '@embedline/core';
import { decodeUtf8 } from './decode-text.ts';
import { readSmallFile } from './file-blocks.ts';
import { parseJsonObject, type JsonObject } from './json-object.ts';
import { lookUp } from './look-up.ts';
import type { ReaderOptions, ReadNote } from './read-item.ts';
import { keptNames, metadataOf } from './record.ts';

/**
 * Metadata of a text, from the .json file beside it. One that has none of the fields asked for belongs to something
 * else. One that cannot be read is told and left out, or costs the document (`strictMetadata`).
 * @throws RangeError with the reason
 */
export async function sidecarMetadata(
  sidecar: string | null,
  origin: Origin,
  options: ReaderOptions,
  tell: (note: ReadNote) => void,
): Promise<Metadata> {
  const none = Object.create(null) as Metadata;
  if (sidecar === null || !options.sidecars || options.metadataFields.length === 0) return none;
  const kept = keptNames(options);
  let object: JsonObject | null;
  try {
    object = await readObject(sidecar, options, kept);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const what = `its metadata file ${sidecar} ${messageOf(cause)}`;
    if (options.strictMetadata)
      throw new RangeError(`${what} (--strict-metadata; --no-sidecars for files that are not metadata)`, {
        cause,
      });
    tell({ type: 'note', about: 'metadata', field: 'all fields', what, origin });
    return none;
  }
  if (object === null) return none;
  const { fields } = object;
  if (![...kept].some((name) => lookUp(fields, name) !== undefined)) return none;
  return metadataOf({ ...object, origin, format: 'jsonl' }, options, tell);
}

/** @returns null when there is no such file, or no object in it @throws RangeError */
async function readObject(
  sidecar: string,
  { limits }: ReaderOptions,
  kept: ReadonlySet<string>,
): Promise<JsonObject | null> {
  const bytes = await readSmallFile(sidecar, limits.maxLineBytes).catch((cause: unknown) => {
    throw new RangeError(`cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (bytes === null) return null;
  const text = decodeUtf8(bytes).replace(/^\uFEFF/, '');
  try {
    return parseJsonObject(text, kept);
  } catch (cause) {
    throw new RangeError('is not JSON', { cause });
  }
}
