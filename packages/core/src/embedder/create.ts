import type { Embedder, TokenCounter } from './embedder.ts';
import type { Distilled, DistillOptions } from './static/distill.ts';
import { resolveModel, type ResolvedModel, type ResolveModelOptions } from './model-files.ts';

export interface EmbedderOptions {
  /** Inference processes. Defaults to the cores this process may use. A static model has none. */
  readonly processes?: number;
  readonly onWarning?: (message: string) => void;
}

/** Finds the model and loads it. Adapters are imported on first use: a command that embeds nothing loads none. */
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
  return createLocalEmbedder({ model: resolved, ...options });
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
