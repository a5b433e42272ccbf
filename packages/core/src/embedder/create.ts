import { assertCanaries, readReferences } from './canaries.ts';
import type { Embedder, TokenCounter } from './embedder.ts';
import { resolveModel, type ResolvedModel, type ResolveModelOptions } from './model-files.ts';

export interface EmbedderOptions {
  /** Inference processes. Defaults to the cores this process may use. */
  readonly processes?: number;
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
  const { createLocalEmbedder } = await import('./local-embedder.ts');
  const embedder = await createLocalEmbedder({ model: resolved, ...options });
  try {
    const references = await readReferences(resolved.spec, resolved.modelsDirectory);
    if (references !== null) await assertCanaries(embedder, references);
    return embedder;
  } catch (error) {
    await embedder.close();
    throw error;
  }
}

/** Counts tokens as the model will, without loading the model. */
export async function loadTokenCounter(model: ResolvedModel): Promise<TokenCounter> {
  const { loadTokenizer } = await import('./tokenizer.ts');
  return loadTokenizer(model.directory);
}
