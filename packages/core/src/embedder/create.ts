import { assertCanaries, readReferences } from './canaries.ts';
import type { Embedder, TokenCounter } from './embedder.ts';
import { engineOf } from './engine/engine-identity.ts';
import type { EngineWishes } from './engine/engine-settings.ts';
import type { ChooseTuningOptions } from './tuning/choose-tuning.ts';
import type { InferenceTuning } from './tuning/inference-tuning.ts';
import type { Distilled, DistillOptions } from './static/distill.ts';
import { resolveModel, type ResolvedModel } from './resolve-model.ts';
import type { ResolveModelOptions } from './resolve-model-options.ts';

/** What somebody says of it; the rest is found. */
type TuningFlags = { readonly [Name in keyof InferenceTuning]?: number | undefined };

export interface EmbedderOptions extends TuningFlags {
  /** How to find what is not given of processes, threads and micro-batches. Defaults to what is usual; see local-embedder.ts. */
  readonly tuning?: Omit<ChooseTuningOptions, 'instructionSet'> & {
    /** Told how the model is run. */
    readonly onChosen?: (tuning: InferenceTuning) => void;
  };
  /** Of the kernel; see engine-settings.ts. */
  readonly instructionSet?: EngineWishes['instructionSet'];
  readonly onWarning?: (message: string) => void;
}

/**
 * Finds the model and loads it. Adapters are imported on first use: a command that embeds nothing loads none.
 * @throws EmbedlineError MODEL_NOT_FOUND; MODEL_INVALID, also when this machine gives canary texts other vectors than the
 * references of a shipped model
 */
export async function createEmbedder(
  model: ResolveModelOptions | ResolvedModel,
  options: EmbedderOptions = {},
): Promise<Embedder> {
  const resolved = 'spec' in model ? model : await resolveModel(model);
  if (resolved.kind === 'static') {
    const { createStaticEmbedder } = await import('./static/static-embedder.ts');
    return createStaticEmbedder(resolved);
  }
  const { createLocalEmbedder } = await import('./local-embedder.ts');
  const embedder = await createLocalEmbedder({
    model: resolved,
    instructionSet: options.instructionSet,
    onWarning: options.onWarning,
    ...(await tuningFor(resolved, options)),
  });
  try {
    const references = await readReferences(resolved.spec, resolved.modelsDirectory);
    if (references !== null) await assertCanaries(embedder, references);
    return embedder;
  } catch (error) {
    await embedder.close();
    throw error;
  }
}

async function tuningFor(
  model: ResolvedModel,
  { tuning, instructionSet, onWarning, ...flags }: EmbedderOptions,
): Promise<TuningFlags> {
  const { processes, microBatchTokens } = flags;
  const isKernel = engineOf(model.spec) === 'kernel';
  const threadsPerProcess = isKernel ? undefined : flags.threadsPerProcess;
  if (isKernel && flags.threadsPerProcess !== undefined && flags.threadsPerProcess > 1)
    onWarning?.(`The kernel runs ${model.spec.id} with one thread per process: threads are for onnxruntime.`);
  if (tuning === undefined) return { processes, threadsPerProcess, microBatchTokens };
  const { chooseTuning } = await import('./tuning/choose-tuning.ts');
  const found = await chooseTuning(model, { ...tuning, instructionSet });
  const cores = found.processes * found.threadsPerProcess;
  const chosen = {
    processes: processes ?? Math.max(1, Math.floor(cores / (threadsPerProcess ?? found.threadsPerProcess))),
    threadsPerProcess: threadsPerProcess ?? (processes === undefined ? found.threadsPerProcess : 1),
    microBatchTokens: microBatchTokens ?? found.microBatchTokens,
  };
  tuning.onChosen?.(chosen);
  return chosen;
}

/** Counts tokens as the model will, without loading the model. */
export async function loadTokenCounter(model: ResolvedModel): Promise<TokenCounter> {
  const { loadTokenizer } = await import('./tokenizer.ts');
  return loadTokenizer(model.directory, { specialTokens: model.kind === 'transformer' });
}

/** Makes a static model of a transformer; see static/distill.ts. */
export async function distillModel(options: DistillOptions): Promise<Distilled> {
  const { distill } = await import('./static/distill.ts');
  return distill(options);
}
