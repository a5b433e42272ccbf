import { describeEngine, type ModelSpec } from '@embedline/core';

/** For people, e.g. `sentence-transformers/all-MiniLM-L6-v2 q8, kernel (arithmetic 1)`. */
export function describeModel(model: ModelSpec): string {
  const engine = describeEngine(model);
  return `${model.id} ${model.dtype}${engine === null ? '' : `, ${engine}`}`;
}
