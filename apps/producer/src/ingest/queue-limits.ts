/** How far the producer may be ahead of the workers. Redis takes about three times the bytes of the texts. */
export interface QueueLimits {
  /** Batches that may wait in Redis. Defaults to 256. */
  readonly maxQueuedBatches: number;
  /** Bytes of texts and metadata that may wait in Redis; a batch has at most 256 KiB. Defaults to 64 MiB. */
  readonly maxQueuedBytes: number;
}

export const DEFAULT_QUEUE_LIMITS: QueueLimits = Object.freeze({
  maxQueuedBatches: 256,
  maxQueuedBytes: 64 * 1024 * 1024,
});
