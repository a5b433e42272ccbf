import { stat } from 'node:fs/promises';
import { EmbedlineError } from '../../errors.ts';
import type { ResolvedModel } from '../model-files.ts';
import { loadTokenizer, type TextTokenizer } from '../tokenizer.ts';
import { networkVectors } from './network-vectors.ts';
import { principalComponents, project } from './principal-components.ts';
import { zipfWeights } from './token-weights.ts';
import { writeStaticModel } from './write-static-model.ts';

export interface DistillOptions {
  /** The transformer that is distilled. */
  readonly from: ResolvedModel;
  /** Folder to write; it must not be there yet. */
  readonly directory: string;
  /** Numbers of a vector; at most as many as `from` has. */
  readonly dimensions: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((tokensDone: number, tokens: number) => void) | undefined;
}

export interface Distilled {
  /** Tokens that have a vector. */
  readonly tokens: number;
  /** Share of the token vectors' variance that is left in the dimensions kept, 0 to 1. */
  readonly varianceKept: number;
}

/** Where a token's weight is one half; chosen by measurement, see models/MODEL.md. */
const SIF_COEFFICIENT = 1e-4;

/**
 * Makes a static model of a transformer, as Model2Vec does (https://github.com/MinishLab/model2vec): each token goes
 * through the network alone, principal components reduce the vectors to `dimensions`, and frequent tokens are given
 * less weight. The same files on the same machine give the same model.
 * @throws EmbedlineError USAGE, MODEL_INVALID; the signal's reason
 */
export async function distill(options: DistillOptions): Promise<Distilled> {
  const { from, directory, dimensions, signal } = options;
  await assertDistillable(options);
  const tokenizer = await loadTokenizer(from.directory);
  const ids = textTokenIds(tokenizer);
  const vectors = await networkVectors({
    model: from,
    texts: ids.map((id) => tokenizer.alone(id)),
    signal,
    onProgress: (done) => options.onProgress?.(done, ids.length),
  });
  signal?.throwIfAborted();
  const found = principalComponents(vectors, from.spec.dimensions);
  const reduced = project(vectors, found, dimensions);
  const perToken = zipfWeights(ids.length, SIF_COEFFICIENT);
  const rows = new Float32Array(tokenizer.vocabularySize * dimensions);
  const weights = new Float64Array(tokenizer.vocabularySize);
  for (const [place, id] of ids.entries()) {
    rows.set(reduced.subarray(place * dimensions, (place + 1) * dimensions), id * dimensions);
    weights[id] = perToken[place] ?? 0;
  }
  await writeStaticModel(directory, {
    rows,
    dimensions,
    weights,
    tokenizerDirectory: from.directory,
    config: {
      tokenizer_name: from.spec.id,
      apply_pca: dimensions,
      sif_coefficient: SIF_COEFFICIENT,
      seq_length: from.spec.maxTokens,
      distilled_from: { id: from.spec.id, dtype: from.spec.dtype, hash: from.spec.hash },
    },
  });
  const total = sum(found.variances);
  return {
    tokens: ids.length,
    varianceKept: total === 0 ? 1 : sum(found.variances.slice(0, dimensions)) / total,
  };
}

async function assertDistillable({ from, directory, dimensions }: DistillOptions): Promise<void> {
  if (from.kind === 'static') {
    throw new EmbedlineError(
      'USAGE',
      `${from.spec.id} is a static model already: name a transformer to distill.`,
    );
  }
  if (dimensions > from.spec.dimensions) {
    throw new EmbedlineError(
      'USAGE',
      `${from.spec.id} has ${from.spec.dimensions} dimensions: --dimensions ${dimensions} is more than there are.`,
    );
  }
  const exists = await stat(directory).then(
    () => true,
    () => false,
  );
  if (exists) {
    throw new EmbedlineError('USAGE', `${directory} is there already. Remove it, or take another --name.`);
  }
}

/** Ids of the tokens that can occur in a text, in order: no special, unknown or reserved ones. */
function textTokenIds(tokenizer: TextTokenizer): number[] {
  return Array.from({ length: tokenizer.vocabularySize }, (_, id) => id).filter((id) => {
    const token = tokenizer.tokenOf(id);
    return (
      token !== undefined &&
      id !== tokenizer.unknownId &&
      !tokenizer.isSpecial(id) &&
      !/^\[unused\d+\]$/.test(token)
    );
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
