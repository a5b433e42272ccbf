/**
 * Names of the graph output that holds a vector for each token: `last_hidden_state` in exports of transformers,
 * `token_embeddings` in Optimum's exports of sentence-transformers.
 */
const HIDDEN_STATES: readonly string[] = ['last_hidden_state', 'token_embeddings'];

/** Inputs that a text encoder is fed with, each of 64-bit integers. */
export const TEXT_INPUTS: readonly string[] = ['input_ids', 'attention_mask', 'token_type_ids'];

/** The output to pool, or undefined when none of these names is there. */
export function hiddenStatesName(outputNames: readonly string[]): string | undefined {
  return HIDDEN_STATES.find((name) => outputNames.includes(name));
}
