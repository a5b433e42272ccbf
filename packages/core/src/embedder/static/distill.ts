import { stat } from 'node:fs/promises';
import { EmbedlineError } from '../../errors.ts';
import type { ResolvedModel } from '../resolve-model.ts';
import { loadTokenizer, type TextTokenizer } from '../tokenizer.ts';
import { fitTokenVectors } from './fit-token-vectors.ts';
import { networkVectors } from './network-vectors.ts';
import { principalComponents, project, type PrincipalComponents } from './principal-components.ts';
import { countedShares, inverseFrequencyWeights, zipfShares } from './token-weights.ts';
import { writeStaticModel } from './write-static-model.ts';

export interface DistillOptions {
  /** The transformer that is distilled. */
  readonly from: ResolvedModel;
  /** Folder to write; it must not be there yet. */
  readonly directory: string;
  /** Numbers of a vector; at most as many as `from` has. */
  readonly dimensions: number;
  /** Texts to learn from; without any, only what the transformer says of tokens that stand alone is known. */
  readonly texts?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many tokens and texts have gone through the network, of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface Distilled {
  /** Tokens that have a vector. */
  readonly tokens: number;
  /** Share of the token vectors' variance that is left in the dimensions kept, 0 to 1. */
  readonly varianceKept: number;
}

/** The share of all tokens at which a token's weight is one half; chosen by measurement, see models/MODEL.md. */
const HALF_WEIGHT_SHARE = { zipf: 1e-5, counted: 1e-4 };

/**
 * Makes a static model of a transformer. As in Model2Vec (https://github.com/MinishLab/model2vec), each token goes
 * through the network alone, principal components reduce the vectors to `dimensions`, and frequent tokens are given
 * less weight. With texts to learn from, frequencies are counted in them and the vectors fitted to what the transformer
 * says of them. The same files and texts on the same machine give the same model.
 * @throws EmbedlineError USAGE, MODEL_INVALID, EMBEDDING_FAILED; the signal's reason
 */
export async function distill(options: DistillOptions): Promise<Distilled> {
  const { from, directory, dimensions, texts = [], signal, onProgress } = options;
  await assertDistillable(options);
  const tokenizer = await loadTokenizer(from.directory);
  const ids = textTokenIds(tokenizer);
  const encoded = texts.map((text) => tokenizer.encode(text, from.spec.maxTokens).ids);
  const inputs = [...ids.map((id) => tokenizer.alone(id)), ...encoded];
  const vectors = await networkVectors({
    model: from,
    texts: inputs,
    signal,
    onProgress: (done) => onProgress?.(done, inputs.length),
  });
  const ofTokens = vectors.subarray(0, ids.length * from.spec.dimensions);
  const ofTexts = vectors.subarray(ofTokens.length);
  const components = principalComponents(ofTokens, from.spec.dimensions);
  signal?.throwIfAborted();
  const known = new Set(ids);
  const sample = {
    texts: encoded.map((text) => text.filter((id) => known.has(id))),
    // Texts are compared by their angle at the origin: it stays where it is.
    targets: project(ofTexts, { ...components, mean: new Float64Array(from.spec.dimensions) }, dimensions),
  };
  const start = weightedRows(project(ofTokens, components, dimensions), {
    ids,
    size: tokenizer.vocabularySize,
    weights: weightsOf(ids, sample.texts, tokenizer.vocabularySize),
  });
  const rows =
    texts.length === 0 ? start : await fitTokenVectors({ rows: start, dimensions, sample, signal });
  await writeStaticModel(directory, {
    rows,
    dimensions,
    tokenizerDirectory: from.directory,
    config: {
      tokenizer_name: from.spec.id,
      apply_pca: dimensions,
      seq_length: from.spec.maxTokens,
      distilled_from: { id: from.spec.id, dtype: from.spec.dtype, hash: from.spec.hash },
      texts_learned_from: texts.length,
    },
  });
  return { tokens: ids.length, varianceKept: varianceKept(components, dimensions) };
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

/** Weights in the order of `ids`. */
function weightsOf(
  ids: readonly number[],
  texts: readonly (readonly number[])[],
  size: number,
): Float64Array {
  if (texts.length === 0) return inverseFrequencyWeights(zipfShares(ids.length), HALF_WEIGHT_SHARE.zipf);
  const weights = inverseFrequencyWeights(countedShares(texts, size), HALF_WEIGHT_SHARE.counted);
  return Float64Array.from(ids, (id) => weights[id] ?? 0);
}

/** A row for every id of the vocabulary; zeros for those that no text has. */
function weightedRows(
  vectors: Float32Array,
  {
    ids,
    size,
    weights,
  }: { readonly ids: readonly number[]; readonly size: number; readonly weights: Float64Array },
): Float32Array {
  const dimensions = vectors.length / ids.length;
  const rows = new Float32Array(size * dimensions);
  for (const [place, id] of ids.entries()) {
    const vector = vectors.subarray(place * dimensions, (place + 1) * dimensions);
    rows.set(
      vector.map((value) => value * (weights[place] ?? 0)),
      id * dimensions,
    );
  }
  return rows;
}

function varianceKept({ variances }: PrincipalComponents, dimensions: number): number {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const total = sum(variances);
  return total === 0 ? 1 : sum(variances.slice(0, dimensions)) / total;
}
