import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { DEFAULT_MODEL_ID, ENGINE_CHOICES } from '@embedline/core/base';
import { DEFAULT_QUEUE_LIMITS } from '../ingest/queue-limits.ts';
import type { PipelineFlags } from '../pipeline/choose-pipelines.ts';
import { DEFAULT_READ_LIMITS } from '../readers/read-item.ts';
import { parsePercentage } from '../pipeline/percentage.ts';
import { parseMetadataFields } from '../readers/metadata-fields.ts';
import { addCorpusOptions, asTyped } from './corpus-options.ts';

/** The flags of `ingest`, as commander hands them over; what is absent is the definition's default. */
export type IngestFlags = PipelineFlags & {
  readonly json?: true;
  readonly dryRun?: true;
  readonly detach?: true;
};

/**
 * The flags that describe a pipeline, for every command that reads one. Defaults are told here and filled in by the
 * definition's schema, so that a flag that was given can be told from one that was not.
 */
export function addPipelineOptions(command: Command): Command {
  addCorpusOptions(command)
    .option(
      '-c, --collection <name>',
      'the collection; without it the arguments are names of configured pipelines',
    )
    .option('--pipeline <name>', 'name of this corpus within the collection; default: the collection')
    .option('--config <file>', 'configuration file; default: embedline.config.ts, .mjs or .json here')
    .option('--all', 'every pipeline of the configuration file')
    .option(
      '--no-commands',
      'refuse to run programs: a configuration file that is code, and commands as sources',
    )
    .option(
      '--root <folder>',
      "folder from which the ids of text files are counted, e.g. for --partial; default: the source's own, or what several have in common",
    )
    .option(
      '--model <id>',
      `model: a folder below EMBEDLINE_MODELS, ./a/folder, or a hub id; default: ${DEFAULT_MODEL_ID}`,
    )
    .option('--dtype <dtype>', "which of the model's weights: q8, fp32, fp16, int8, uint8, q4")
    .addOption(
      new Option(
        '--engine <engine>',
        'what computes the vectors; default: auto, which keeps to the engine of the collection and takes the kernel for a new one ' +
          'if it takes the model',
      ).choices([...ENGINE_CHOICES]),
    )
    .option('--model-revision <commit>', 'commit of a hub model, 40 hexadecimal digits; needed to fetch one')
    .option('--model-sha256 <hash>', "refuse files of the model that have another hash than this, doctor's")
    .option('--chunk-tokens <n>', "longest chunk; default: the model's longest input", wholeNumber(1))
    .option(
      '--overlap-tokens <n>',
      'tokens of the preceding text that a chunk repeats; default: 0',
      wholeNumber(0),
    )
    .option(
      '--embed-title',
      "embed each chunk's title (document, headings) above its text; default: the text alone",
    )
    .option(
      '--repeat-table-header',
      'embed the header row of a Markdown table above each further chunk of it; default: once',
    )
    .option(
      '--max-line-bytes <n>',
      limitText('longest line of JSONL or row of CSV', 'maxLineBytes'),
      wholeNumber(1),
    )
    .option('--max-document-bytes <n>', limitText('longest document', 'maxDocumentBytes'), wholeNumber(1))
    .option(
      '--max-metadata-bytes <n>',
      limitText('longest title, and longest metadata of a document together', 'maxMetadataBytes'),
      wholeNumber(1),
    )
    .option(
      '--max-gzip-ratio <n>',
      limitText('a .gz file that unpacks to more is refused', 'maxGzipRatio'),
      wholeNumber(1),
    )
    .option('--rebuild', 'build a new generation even if nothing that decides has changed')
    .option('--no-reuse', 'embed every new text, also one that has a vector already')
    .option('--json', 'one JSON object per line on stdout, the summary last');
  return leaveOutNegations(command);
}

/** Without this, commander sets a `--no-` flag that is not on the command line to true, over the configuration file's false. */
function leaveOutNegations(command: Command): Command {
  for (const option of command.options)
    if (option.negate) command.setOptionValue(option.attributeName(), undefined);
  return command;
}

/** The flags that only a run has that writes. */
export function addRunOptions(command: Command): Command {
  return command
    .option(
      '--workers <n>',
      `worker processes to run meanwhile; default: 0 with REDIS_URL, else one per core (${availableParallelism()} here)`,
      wholeNumber(0),
    )
    .option(
      '--max-delete <share>',
      'largest share of the points that readers may lose, whatever the cause, 0% to 100%; default: 20%',
      percentage,
    )
    .option(
      '--max-given-up <share>',
      'largest share of the chunks of a new generation that may be dead letters, 0% to 100%; default: 1%',
      percentage,
    )
    .option('--sweep-incomplete', 'delete what has vanished even though some records could not be read')
    .option('--partial', 'the sources are only some documents of the corpus: write those, delete no others')
    .option(
      '--defer-indexing',
      'let Qdrant build the index of a new generation when all is loaded; for large first loads',
    )
    .option(
      '--keep-generations <n>',
      'generations kept for rollback besides the live one; default: 1',
      wholeNumber(0),
    )
    .option(
      '--producer-threads <n>',
      'threads that cut documents, for more than 50 workers or so; default: 1',
      wholeNumber(1),
    )
    .option(
      '--max-queued-batches <n>',
      `batches that may wait for workers in Redis; default: ${DEFAULT_QUEUE_LIMITS.maxQueuedBatches}`,
      wholeNumber(1),
    )
    .option(
      '--max-queued-bytes <n>',
      `bytes of texts that may wait there, which takes about three times as much memory; default: ${DEFAULT_QUEUE_LIMITS.maxQueuedBytes}`,
      wholeNumber(1),
    )
    .option('--wait', 'wait for another ingest of this pipeline instead of failing');
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

function limitText(what: string, limit: keyof typeof DEFAULT_READ_LIMITS): string {
  return `${what}; default: ${DEFAULT_READ_LIMITS[limit]}`;
}

function percentage(text: string): string {
  const value = parsePercentage(text);
  if (typeof value !== 'number') throw new InvalidArgumentError(`${sentence(value.problem)}.`);
  return `${value}%`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** A list that parses, still as it was typed: the definition's schema reads it. */
export function metadataFields(text: string): string[] {
  return asTyped(parseMetadataFields)(text)
    .split(',')
    .filter((part) => part.trim() !== '');
}

export function cosine(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= -1 && value <= 1))
    throw new InvalidArgumentError('Expected a number from -1 to 1.');
  return value;
}
