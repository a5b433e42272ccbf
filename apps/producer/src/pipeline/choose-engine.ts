import {
  EmbedlineError,
  hasNativeKernel,
  sameModel,
  whyNotKernel,
  withEngine,
  type EngineChoice,
  type Generation,
  type ResolvedModel,
} from '@embedline/core';

export interface ChosenEngine {
  readonly model: ResolvedModel;
  /** Why it is not the kernel; null when it is, or for a static model, which has no engine. */
  readonly whyNotKernel: string | null;
}

/**
 * The model as its engine runs it. `auto` keeps to the engine that the collection's generations were made with, the live
 * one first, so that no collection is built anew unasked; a new collection gets the kernel if that takes the model and has
 * code for this machine's kind of CPU.
 * @param generations of the collection; none for a new one
 * @param native whether the kernel has such code here
 * @throws EmbedlineError MODEL_INVALID when the engine that was asked for does not take the model
 */
export async function chooseEngine(
  model: ResolvedModel,
  choice: EngineChoice,
  generations: readonly Generation[],
  native = hasNativeKernel(),
): Promise<ChosenEngine> {
  if (choice === 'auto' && model.kind === 'static') return { model, whyNotKernel: null };
  const onnxruntime = withEngine(model, 'onnxruntime');
  if (choice === 'onnxruntime') return { model: onnxruntime, whyNotKernel: 'onnxruntime was asked for' };
  const kernel = withEngine(model, 'kernel');
  const made = choice === 'auto' ? madeWith([kernel, onnxruntime], generations) : undefined;
  if (made === onnxruntime)
    return { model: onnxruntime, whyNotKernel: 'the collection was made with onnxruntime' };
  if (choice === 'auto' && made === undefined && !native)
    return {
      model: onnxruntime,
      whyNotKernel: 'the kernel has no code for this kind of CPU but WebAssembly, which is slower',
    };
  const objection = await whyNotKernel(model);
  if (objection === null) return { model: kernel, whyNotKernel: null };
  if (choice === 'auto')
    return { model: onnxruntime, whyNotKernel: `the kernel does not take this model: ${objection}` };
  throw new EmbedlineError(
    'MODEL_INVALID',
    `The kernel does not take model ${model.spec.id}: ${objection}. Use --engine onnxruntime, or auto.`,
  );
}

/** The one that the live generation was made with, else the newest that is one of these. */
function madeWith(
  candidates: readonly ResolvedModel[],
  generations: readonly Generation[],
): ResolvedModel | undefined {
  const order = generations.toSorted((a, b) => Number(b.live) - Number(a.live) || b.number - a.number);
  for (const { manifest } of order) {
    const found = candidates.find(({ spec }) => sameModel(spec, manifest.model));
    if (found !== undefined) return found;
  }
  return undefined;
}
