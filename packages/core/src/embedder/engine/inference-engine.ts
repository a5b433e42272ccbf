/**
 * PORT: what computes vectors from token ids, below {@link Embedder}: a model in this process. Calls do not overlap.
 */
export interface InferenceEngine {
  /**
   * @param ids token ids of all texts, one after the other, without padding
   * @param lengths tokens of each text; their sum is the number of ids
   * @returns unit vectors, one after the other. A text's vector does not depend on the others, as far as its model allows
   */
  run(ids: Int32Array, lengths: Int32Array): Promise<Float32Array>;
}
