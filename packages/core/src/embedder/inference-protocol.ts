import type { EngineSettings } from './engine/engine-settings.ts';

/** What the parent says to an inference process. Requests are answered in the order in which they were sent. */
export interface InferenceRequest {
  readonly id: number;
  /** Token ids of all texts, one after the other, without padding. */
  readonly ids: Int32Array;
  /** Tokens of each text. */
  readonly lengths: Int32Array;
}

/** What an inference process says to its parent. */
export type InferenceResponse =
  | { readonly type: 'ready' }
  | { readonly type: 'unusable'; readonly message: string }
  | {
      readonly type: 'embedded';
      readonly id: number;
      /** Vectors one after the other. */
      readonly vectors: Float32Array;
      /** Resident memory of the process. */
      readonly residentBytes: number;
    }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };

/** What an engine has to know of a model. */
export interface ModelToRun {
  readonly weightsFile: string;
  readonly dimensions: number;
  readonly pooling: 'mean' | 'cls';
}

/** How an inference process is to run; passed as its only argument, as JSON. */
export interface InferenceSettings extends ModelToRun {
  readonly engine: EngineSettings;
}
