import { readCsv } from './csv-reader.ts';
import { decodeBlocks } from './encodings.ts';
import { readJsonl } from './jsonl-reader.ts';
import type { ReaderOptions, ReadItem, RecordOptions, SourceFormat } from './read-item.ts';
import { readText } from './text-reader.ts';

/** One file, or what stands for one. */
export interface ParseOptions {
  readonly format: SourceFormat;
  /** What its ending stands for; for CSV. */
  readonly delimiter: ',' | '\t';
  /** Id of its document, if it is one. */
  readonly id: string;
  /** For people. */
  readonly shown: string;
  readonly sidecar: string | null;
  /** As it was asked for. */
  readonly encoding: string | undefined;
}

/** The documents of one file. @throws RangeError when it cannot be read to its end */
export async function* parse(
  source: AsyncIterable<Buffer>,
  { format, delimiter, id, shown, sidecar, encoding: asked }: ParseOptions,
  options: RecordOptions,
): AsyncGenerator<ReadItem> {
  const { blocks, encoding, note } = await decodeBlocks(source, asked);
  if (note !== null) yield { type: 'note', about: 'form', what: note, origin: { file: shown } };
  const reading: ReaderOptions = { ...options, fileId: id, encoding };
  switch (format) {
    case 'jsonl':
      yield* readJsonl(blocks, shown, reading);
      break;
    case 'csv':
      yield* readCsv(blocks, shown, delimiter, reading);
      break;
    case 'text':
    case 'markdown':
      yield* readText(blocks, { id, file: shown, format, sidecar }, reading);
  }
}
