import { z } from 'zod';

/** How a model is run on a machine. */
export interface InferenceTuning {
  /** Inference processes, each with the model in its memory. */
  readonly processes: number;
  /** Threads within each. */
  readonly threadsPerProcess: number;
  /** Tokens that go through the network together. */
  readonly microBatchTokens: number;
}

export const inferenceTuningSchema = z.looseObject({
  processes: z.int().min(1).max(4096),
  threadsPerProcess: z.int().min(1).max(4096),
  microBatchTokens: z.int().min(1).max(1_000_000),
});

/** What was fastest wherever it was measured (performance notes), for a machine that has not been measured. */
export const USUAL_MICRO_BATCH_TOKENS = 512;
