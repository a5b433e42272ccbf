import type { GenerationPoints, StoredPoint } from '@embedline/core';
import { chunkOf, vectorOf } from './points.ts';

export interface Step {
  readonly kind: string;
  readonly document: string;
  readonly text: string;
  readonly year: number;
  readonly runSequence: number;
}

/** Does a step to a store and to a model of it, which knows the fence and nothing else. */
export async function apply(
  step: Step,
  points: GenerationPoints,
  model: Map<string, StoredPoint>,
): Promise<void> {
  const { runSequence } = step;
  const chunk = chunkOf(step.document, step.text, { metadata: { year: step.year } });
  const known = model.get(chunk.id);
  const fenced = known !== undefined && known.runSequence > runSequence;
  if (step.kind === 'upsert') {
    await points.upsert([{ chunk, vector: vectorOf(step.text) }], { runSequence });
    if (!fenced) model.set(chunk.id, { chunk, vector: vectorOf(step.text), runSequence });
  } else if (step.kind === 'payload') {
    await points.updatePayloads([chunk], { runSequence });
    if (known !== undefined && !fenced) model.set(chunk.id, { ...known, chunk, runSequence });
  } else {
    await points.delete([chunk.id], { runSequence });
    if (!fenced) model.delete(chunk.id);
  }
}
