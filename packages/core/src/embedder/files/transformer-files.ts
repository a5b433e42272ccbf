import { z } from 'zod';
import { EmbedlineError } from '../../errors.ts';
import { readTextGraph } from './assert-graph.ts';
import { familyOf, type ModelFamily } from './known-families.ts';
import type { DecidingFiles } from './model-files.ts';
import type { ModelDescription } from './model-description.ts';
import { readModules } from './modules.ts';
import { readPooling, type PoolingSettings } from './pooling-mode.ts';
import { readPrompts } from './prompts.ts';
import { refuse, TAKE_ANOTHER } from './refuse.ts';
import { readTokenizerFiles } from './tokenizer-files.ts';
import { findExternalFiles, findWeights } from './weights-files.ts';

const configSchema = z.looseObject({
  _name_or_path: z.string().optional(),
  model_type: z.string().optional(),
  hidden_size: z.int().positive().nullish(),
  /** What DistilBERT calls its hidden_size. */
  dim: z.int().positive().nullish(),
  max_position_embeddings: z.int().nullish(),
  pad_token_id: z.int().nullish(),
});
type Config = z.infer<typeof configSchema>;

const limitsSchema = z.looseObject({
  max_seq_length: z.int().positive().nullish(),
  do_lower_case: z.boolean().nullish(),
});

/** sentence-transformers names it after the first models it had; the first that is there counts. */
const LIMITS_FILES = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map(
  (name) => `sentence_${name}_config.json`,
);
/** Their positions begin behind the padding token, so there are fewer than the file says. */
const OFFSET_POSITIONS = new Set(['roberta', 'xlm-roberta', 'camembert', 'mpnet', 'xlm-roberta-xl']);
const DEFAULT_LIMIT = 512;

/**
 * Reads from the files of a transformer everything that decides which vector a text gets.
 * @throws EmbedlineError MODEL_NOT_FOUND, MODEL_INVALID, also for each structure that is not supported
 */
export async function describeTransformer(
  files: DecidingFiles,
  { id, dtype }: { readonly id: string; readonly dtype: string | undefined },
): Promise<ModelDescription> {
  const config = (await files.readJson('config.json', configSchema)) ?? {};
  const { _name_or_path: originalName } = config;
  const family = familyOf([id, originalName]);
  const { poolingPath, normalizes } = await readModules(files);
  const stated = await readPooling(files, poolingPath);
  const { pooling, warnings } = poolingOf(stated, { files, poolingPath, normalizes, family });
  const dimensions = dimensionsOf(config, stated, files.place);
  const tokenizerLimit = await readTokenizerFiles(files);
  const ownLimit = await readLimit(files, config, tokenizerLimit);
  const prompts = await readPrompts(files, { family, normalizes });
  const weights = await findWeights(files, dtype);
  const graph = readTextGraph(weights.file, { place: files.place, weights: weights.path, dimensions });
  await findExternalFiles(files, weights, graph.externalFiles);
  return {
    dtype: weights.dtype,
    weightsFile: weights.file,
    pooling,
    dimensions,
    ownLimit,
    passagePrefix: prompts.passagePrefix,
    queryPrefix: prompts.queryPrefix,
    warnings: [...warnings, ...prompts.warnings],
  };
}

interface PoolingContext {
  readonly files: DecidingFiles;
  readonly poolingPath: string;
  readonly normalizes: boolean | null;
  readonly family: ModelFamily | null;
}

function poolingOf(
  stated: PoolingSettings | null,
  { files: { place }, poolingPath, normalizes, family }: PoolingContext,
): { pooling: 'mean' | 'cls'; warnings: string[] } {
  if (stated !== null) {
    const warnings =
      normalizes === false
        ? [
            `${place} has no Normalize module: its vectors are stored with length 1 and compared by their angle (cosine).`,
          ]
        : [];
    return { pooling: stated.pooling, warnings };
  }
  if (normalizes !== null)
    throw refuse(
      place,
      `modules.json names ${poolingPath}, but ${poolingPath}/config.json is not there`,
      'Copy that file from the original model.',
    );
  const copy = 'Copy modules.json and 1_Pooling/config.json of the original model into its folder.';
  if (family !== null && family.pooling !== 'mean')
    throw refuse(
      place,
      `no file says how its tokens become one vector, and models of the ${family.name} family do it by ${family.pooling} pooling`,
      family.pooling === 'cls' ? copy : TAKE_ANOTHER,
    );
  return {
    pooling: 'mean',
    warnings: [
      `${place} has no modules.json and no 1_Pooling/config.json to say how its tokens become one vector: their mean is taken, as ` +
        `sentence-transformers does with such a model. If that is wrong for it, its vectors are. ${copy}`,
    ],
  };
}

function dimensionsOf(config: Config, stated: PoolingSettings | null, place: string): number {
  const own = config.hidden_size ?? config.dim ?? null;
  const pooled = stated?.dimensions ?? null;
  if (own !== null && pooled !== null && own !== pooled)
    throw refuse(
      place,
      `config.json says ${own} dimensions and the configuration of its pooling ${pooled}`,
      'Copy both files from one model.',
    );
  const dimensions = own ?? pooled;
  if (dimensions !== null) return dimensions;
  throw new EmbedlineError(
    'MODEL_INVALID',
    `config.json in ${place} does not say how many dimensions the model has: it has neither hidden_size nor dim (DistilBERT). ` +
      `Copy the config.json of the original model, or its 1_Pooling/config.json with word_embedding_dimension.`,
  );
}

/** Longest input in tokens, special tokens included. */
async function readLimit(
  files: DecidingFiles,
  config: Config,
  tokenizerLimit: number | null,
): Promise<number> {
  const positions = positionsOf(config);
  for (const path of LIMITS_FILES) {
    const limits = await files.readJson(path, limitsSchema);
    if (limits === null) continue;
    if (limits.do_lower_case === true)
      throw refuse(
        files.place,
        `${path} has do_lower_case: true (texts are lowercased before they are tokenized)`,
        'If its tokenizer.json lowercases by itself, set do_lower_case to false.',
      );
    if (limits.max_seq_length !== undefined && limits.max_seq_length !== null)
      return Math.min(limits.max_seq_length, positions ?? Infinity);
    break;
  }
  const known = [positions, tokenizerLimit].filter((limit) => limit !== null);
  return known.length === 0 ? DEFAULT_LIMIT : known.reduce((least, limit) => Math.min(least, limit));
}

function positionsOf({
  max_position_embeddings: positions,
  model_type: type,
  pad_token_id: padding,
}: Config) {
  // T5 and the like have relative positions, and write nothing or -1.
  if (positions === undefined || positions === null || positions <= 0) return null;
  return OFFSET_POSITIONS.has(type ?? '') ? Math.max(1, positions - (padding ?? 1) - 1) : positions;
}
