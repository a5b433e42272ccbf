export { environmentVariables, loadConfig, type Config } from './config.ts';
export type {
  Chunk,
  ChunkRecord,
  DeadLetter,
  Document,
  DocumentMark,
  Metadata,
  MetadataScalar,
  MetadataValue,
  Origin,
} from './document.ts';
export type { Embedder, Embeddings, EmbedOptions, ModelSpec, TokenCounter } from './embedder/embedder.ts';
export { EmbedlineError, isEmbedlineError, messageOf, type ErrorCode } from './errors.ts';
export {
  canonicalMetadata,
  chunksDigest,
  documentFingerprint,
  payloadHash,
  pointId,
  sameMark,
  textHash,
} from './ids.ts';
export { chunkRecordsOf, decodeJob, encodeJob, jobBytes, jobId, parseJobId, type EmbedJob } from './job.ts';
export { listenForStop, Releasers, type Closeable, type StopSignals } from './lifecycle.ts';
export { createLogger, type Logger } from './logger.ts';
export { redactSecrets } from './redact.ts';
export {
  NO_PRODUCER_COUNTS,
  type BatchResult,
  type ProducerCounts,
  type RunProgress,
  type RunSpec,
  type RunStage,
  type RunState,
  type WorkerCounts,
} from './run/run.ts';
export { assertCollectionName, generationName, parseGenerationName } from './vector-store/generation-name.ts';
export { PAYLOAD_SCHEMA_VERSION } from './vector-store/payload.ts';
export type {
  Generation,
  GenerationManifest,
  GenerationPoints,
  Point,
  ReadOptions,
  ScannedPoint,
  SearchFilter,
  SearchHit,
  SearchQuery,
  StoreKind,
  StoredFingerprint,
  StoredPoint,
  VectorStore,
  WriteOptions,
} from './vector-store/vector-store.ts';
