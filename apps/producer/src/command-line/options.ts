import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { DEFAULT_MODEL_ID } from '@embedline/core';
import { DEFAULT_READ_LIMITS, type MetadataField, type SourceFormat } from '../readers/read-item.ts';
import { parseMetadataFields } from '../readers/record.ts';

/** The flags of `ingest`, as commander hands them over. */
export interface IngestFlags {
  readonly collection: string;
  readonly pipeline?: string;
  readonly format?: SourceFormat;
  readonly idField: string;
  readonly textField: string;
  readonly titleField: string;
  readonly metadataFields: readonly MetadataField[];
  readonly model: string;
  readonly dtype?: string;
  readonly modelRevision?: string;
  readonly chunkTokens?: number;
  readonly overlapTokens?: number;
  readonly workers?: number;
  readonly maxDelete: number;
  readonly sweepIncomplete?: true;
  readonly rebuild?: true;
  readonly keepGenerations: number;
  readonly wait?: true;
  readonly maxLineBytes: number;
  readonly maxDocumentBytes: number;
  readonly maxGzipRatio: number;
  readonly json?: true;
}

export function addIngestOptions(command: Command): Command {
  return command
    .requiredOption('-c, --collection <name>', 'the collection to bring into step with the corpus')
    .option('--pipeline <name>', 'name of this corpus within the collection; default: the collection')
    .addOption(
      new Option(
        '--format <format>',
        'how to read the sources; default: by file ending, jsonl for -',
      ).choices(['jsonl', 'csv', 'text', 'markdown']),
    )
    .option('--id-field <name>', 'field that holds the id of a record', 'id')
    .option('--text-field <name>', 'field that holds its text', 'text')
    .option('--title-field <name>', 'field that holds its title, if there is one', 'title')
    .addOption(
      new Option('--metadata-fields <list>', 'fields to keep and filter on, e.g. year,president=name')
        .argParser(metadataFields)
        .default([], 'none'),
    )
    .option(
      '--model <id>',
      'model: a folder below EMBEDLINE_MODELS, ./a/folder, or a hub id',
      DEFAULT_MODEL_ID,
    )
    .option('--dtype <dtype>', "which of the model's weights: q8, fp32, fp16, int8, uint8, q4")
    .option('--model-revision <commit>', 'commit of a hub model')
    .option('--chunk-tokens <n>', "longest chunk; default: the model's longest input", wholeNumber(1))
    .option(
      '--overlap-tokens <n>',
      'tokens of the preceding text that a chunk repeats; default: 0',
      wholeNumber(0),
    )
    .option(
      '--workers <n>',
      `worker processes to run meanwhile; default: 0 with REDIS_URL, else one per core (${availableParallelism()} here)`,
      wholeNumber(0),
    )
    .addOption(
      new Option('--max-delete <share>', 'largest share of the points that may be deleted as vanished')
        .argParser(percentage)
        .default(0.2, '20%'),
    )
    .option('--sweep-incomplete', 'delete what has vanished even though some records could not be read')
    .option('--rebuild', 'build a new generation even if nothing that decides has changed')
    .option('--keep-generations <n>', 'generations kept for rollback besides the live one', wholeNumber(0), 1)
    .option('--wait', 'wait for another ingest of this pipeline instead of failing')
    .option(
      '--max-line-bytes <n>',
      'longest line of JSONL or row of CSV',
      wholeNumber(1),
      DEFAULT_READ_LIMITS.maxLineBytes,
    )
    .option(
      '--max-document-bytes <n>',
      'longest document',
      wholeNumber(1),
      DEFAULT_READ_LIMITS.maxDocumentBytes,
    )
    .option(
      '--max-gzip-ratio <n>',
      'a .gz file that unpacks to more is refused',
      wholeNumber(1),
      DEFAULT_READ_LIMITS.maxGzipRatio,
    )
    .option('--json', 'one JSON object per line on stdout, the summary last');
}

export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`Expected a whole number, ${minimum} or more.`);
    }
    return value;
  };
}

function percentage(text: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (text.trim() === '' || !Number.isFinite(value) || value < 0 || value > 100) {
    throw new InvalidArgumentError('Expected a percentage from 0% to 100%.');
  }
  return value / 100;
}

function metadataFields(text: string): MetadataField[] {
  try {
    return parseMetadataFields(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
