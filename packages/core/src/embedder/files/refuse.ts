import { EmbedlineError } from '../../errors.ts';

/** For a structure that would give other vectors here than its authors meant. */
export function refuse(place: string, what: string, remedy: string): EmbedlineError {
  return new EmbedlineError(
    'MODEL_INVALID',
    `The model in ${place} cannot be used: ${what}, which embedline does not support. Using it anyway would give other vectors ` +
      `than the model's own. ${remedy}`,
  );
}

export const TAKE_ANOTHER = 'Take a model with mean or CLS pooling and nothing but normalization after it.';
