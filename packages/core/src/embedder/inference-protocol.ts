/** What the parent says to an inference process. */
export type InferenceRequest =
  | { readonly type: 'embed'; readonly id: number; readonly texts: readonly string[] }
  | { readonly type: 'cancel'; readonly id: number };

/** What an inference process says to its parent. */
export type InferenceResponse =
  | { readonly type: 'ready'; readonly batchInvariant: boolean }
  | { readonly type: 'unusable'; readonly message: string }
  | {
      readonly type: 'embedded';
      readonly id: number;
      /** Vectors one after the other. */
      readonly vectors: Float32Array;
      readonly tokens: readonly number[];
    }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };

/** How an inference process is to run; passed as its only argument, as JSON. */
export interface InferenceSettings {
  readonly directory: string;
  readonly weightsFile: string;
  readonly dimensions: number;
  readonly maxTokens: number;
  readonly pooling: 'mean' | 'cls';
  readonly threads: number;
  readonly microBatchTokens: number;
}
