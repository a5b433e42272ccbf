import { stat } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import {
  createChunker,
  distillModel,
  EmbedlineError,
  isModelId,
  loadTokenCounter,
  parseChunkingOptions,
  resolveModel,
  type ResolvedModel,
} from '@embedline/core';
import { Corpus } from '../readers/corpus.ts';
import { DEFAULT_RECORD_OPTIONS } from '../readers/read-item.ts';
import { sampleChunks } from '../readers/sample-chunks.ts';
import { formatCount, formatDuration, formatMegabytes } from '../terminal/format.ts';
import { createLiveArea } from '../terminal/live-area.ts';
import { bar } from '../terminal/progress-line.ts';
import { EXIT, notice, printJson, printLine, type CommandContext } from './context.ts';
import { modelJson } from './models.ts';

export interface DistillFlags {
  readonly from: string;
  readonly dtype?: string;
  readonly modelRevision?: string;
  readonly dimensions?: number;
  readonly out?: string;
  readonly name?: string;
  readonly corpus?: readonly string[];
  readonly json?: true;
}

const DEFAULT_DIMENSIONS = 256;
/** Of a corpus: a minute or two of computing on two cores, and most of what more would bring. */
const SAMPLE_TOKENS = 500_000;
const JSON_EVERY_MS = 2_000;

/** `embedline models distill`: writes a static model beside the others. @returns the exit code */
export async function distillCommand(flags: DistillFlags, context: CommandContext): Promise<number> {
  const { config, cwd, signal, stdout } = context;
  const { dataDirectory } = config;
  const startedAtMs = Date.now();
  const from = await resolveModel({
    id: /^\.{1,2}\//.test(flags.from) ? resolve(cwd, flags.from) : flags.from,
    dtype: flags.dtype,
    revision: flags.modelRevision,
    modelsDirectory: config.modelsDirectory,
    dataDirectory,
    // The user has named the model: what is not here may be fetched.
    allowRemote: true,
    hub: config.hub,
    signal,
  });
  for (const warning of from.warnings) notice(context, warning);
  const modelsDirectory = flags.out === undefined ? config.modelsDirectory : resolve(cwd, flags.out);
  const dimensions = flags.dimensions ?? Math.min(DEFAULT_DIMENSIONS, from.spec.dimensions);
  const id = nameOf(flags, dimensions);
  const texts = await sampleOf(flags.corpus ?? [], from, context);
  const progress = reportPasses(flags, context);
  const { tokens, varianceKept } = await distillModel({
    from,
    directory: join(modelsDirectory, id),
    dimensions,
    texts,
    signal,
    onProgress: progress.update,
  }).finally(() => progress.close());
  // What was written is read back, as a worker will read it.
  const model = await resolveModel({ id, modelsDirectory, dataDirectory });
  const weightsBytes = (await stat(model.weightsFile)).size;
  const seconds = (Date.now() - startedAtMs) / 1000;
  if (flags.json === true) {
    const summary = {
      ...modelJson({ model, weightsBytes }),
      directory: model.directory,
      tokens,
      texts: texts.length,
    };
    printJson(stdout, { type: 'summary', ...summary, varianceKept, seconds });
    return EXIT.done;
  }
  printLine(
    stdout,
    `Distilled ${id} from ${from.spec.id} in ${formatDuration(seconds)}: ${formatCount(tokens)} tokens, ${formatCount(texts.length)} texts to learn from, ` +
      `${dimensions} dimensions (${(varianceKept * 100).toFixed(1)} % of the variance), ${formatMegabytes(weightsBytes)}.\n` +
      `Next: embedline ingest ./docs --collection docs --model ${flags.out === undefined ? id : model.directory}`,
  );
  return EXIT.done;
}

function nameOf({ from, name }: DistillFlags, dimensions: number): string {
  const id =
    name ?? `static/${isAbsolute(from) ? basename(from) : (from.split('/').at(-1) ?? from)}-${dimensions}`;
  if (isModelId(id)) return id;
  throw new EmbedlineError(
    'USAGE',
    `--name ${JSON.stringify(id)} is not a model id. Take NAME or OWNER/NAME in letters, digits, '.', '_' and '-'.`,
  );
}

/** Chunks of the sources, cut as the model to distill would have them. */
async function sampleOf(
  sources: readonly string[],
  model: ResolvedModel,
  { cwd, stdin, signal }: CommandContext,
): Promise<string[]> {
  if (sources.length === 0) return [];
  const corpus = new Corpus({
    sources,
    cwd,
    stdin,
    ...DEFAULT_RECORD_OPTIONS,
  });
  await corpus.survey();
  const chunking = parseChunkingOptions({}, model.spec.maxTokens);
  const chunk = createChunker(chunking, await loadTokenCounter(model));
  const texts = await sampleChunks({ corpus, chunk, maxTokens: SAMPLE_TOKENS, signal });
  signal.throwIfAborted();
  if (texts.length > 0) return texts;
  throw new EmbedlineError('SOURCE_EMPTY', `There is no text to learn from in ${sources.join(', ')}.`);
}

/** A bar on stderr for people, objects on stdout for programs. */
function reportPasses(flags: DistillFlags, { stdout, stderr, errorStyle }: CommandContext) {
  const area = createLiveArea(stderr, errorStyle);
  let toldAtMs = Date.now();
  return {
    update: (done: number, total: number) => {
      if (flags.json !== true) {
        const share = `${String(Math.floor((done / total) * 100)).padStart(3)}%`;
        const counts = `${formatCount(done)}/${formatCount(total)} tokens and texts`;
        area.update(`${errorStyle.cyan(bar(done / total, 24))} ${share}  ${counts}`);
      } else if (Date.now() - toldAtMs >= JSON_EVERY_MS) {
        toldAtMs = Date.now();
        printJson(stdout, { type: 'progress', done, total });
      }
    },
    close: () => area.close(),
  };
}
