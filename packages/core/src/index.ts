export * from './base.ts';
export * from './search.ts';
export { Batcher, DEFAULT_BATCH_LIMITS, type BatchLimits } from './batcher.ts';
export { BoundedWorker } from './bounded-worker.ts';
export type { TextFormat } from './chunking/blocks.ts';
export { withPlainLineEnds } from './chunking/line-ends.ts';
export { embeddedText } from './chunking/embedded-text.ts';
export { createChunker, type ChunkableText } from './chunking/chunker.ts';
export { parseChunkingOptions, type ChunkingOptions } from './chunking/chunking-options.ts';
export { assertCanaries, examineCanaries, readReferences } from './embedder/canaries.ts';
export { environmentNamed, environmentOfCommands, environmentOfWorkers } from './child-environment.ts';
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
export { toRfc3339 } from './dates.ts';
export { DEFAULT_PREFIX } from './default-prefix.ts';
export { distillModel, loadTokenCounter } from './embedder/create.ts';
export { engineIdentity } from './embedder/engine/engine-identity.ts';
export { ENGINE_NAMES, type EngineName } from './embedder/engine/engine-name.ts';
export { engineSettings, type EngineSettings } from './embedder/engine/engine-settings.ts';
export { hasNativeKernel, listInstructionSets, whyNotKernel } from './embedder/engine/kernel-support.ts';
export type { Embedder, Embeddings, EmbedOptions, ModelSpec, TokenCounter } from './embedder/embedder.ts';
export { listModels, type ListedModel, type ModelList } from './embedder/list-models.ts';
export { isShippedModel, withEngine, type ModelKind, type ResolvedModel } from './embedder/resolve-model.ts';
export type { ResolveModelOptions } from './embedder/resolve-model-options.ts';
export { isModelId } from './embedder/model-id.ts';
export type { Distilled, DistillOptions } from './embedder/static/distill.ts';
export { chooseTuning, type ChosenTuning } from './embedder/tuning/choose-tuning.ts';
export type { InferenceTuning } from './embedder/tuning/inference-tuning.ts';
export { machineLimits, type MachineLimits } from './embedder/tuning/machine-limits.ts';
export { describeFinding, ok, problem, warning, type Finding } from './finding.ts';
export { assertFreeDisk, examineDisk } from './disk.ts';
export {
  canonicalMetadata,
  chunksDigest,
  documentFingerprint,
  payloadHash,
  pointId,
  sameMark,
  textHash,
} from './ids.ts';
export { format1ModelHash } from './embedder/format-1-hash.ts';
export type { UnreadableRun } from './run/run-index.ts';
export { FORMAT_VERSION, newerVersion } from './format-version.ts';
export {
  chunkRecordsOf,
  decodeJob,
  encodeJob,
  jobBytes,
  jobId,
  MAX_JOB_BYTES,
  mayHaveId,
  parseJobId,
  type EmbedJob,
} from './job.ts';
export { provenChunksOf, type ClaimedRun } from './job-claims.ts';
export { signingEnvironment, signingKeysFor } from './signing/keys-for.ts';
export { openJob, sealJob } from './signing/sealed-job.ts';
export { assertSigned, isSigned, withSignature } from './signing/signed-value.ts';
export { parseSigningKeys, SigningKeys, type SignedKind } from './signing/signing-keys.ts';
export { createLogger, type Logger } from './logger.ts';
export { pipelineFingerprint } from './pipeline-fingerprint.ts';
export { batchWorkerSettings, createBatchQueue, type BatchQueue, type FailedBatch } from './queue.ts';
export { connectRedis, redactUrl, type RedisConnection, type RedisRole } from './redis/connection.ts';
export { redisNowMs } from './redis/clock.ts';
export { writeAudit, type AuditEvent, type AuditRecord } from './state/audit-log.ts';
export { acquireRedis, type RedisLease } from './redis/private-redis.ts';
export { checkRedis, examineRedis } from './redis/examine.ts';
export { parseRedisUrl } from './redis/parse-url.ts';
export { formatAddress, hostsOf, type RedisAddress } from './redis/address.ts';
export { NO_REDIS_ACCESS, type RedisAccess } from './redis/access.ts';
export { probeRedis } from './redis/probe.ts';
export { examineTopology } from './redis/topology.ts';
export { giveUpChunk, type GivenUpChunk } from './run/given-up.ts';
export { forgetLostRun } from './run/forget-lost-run.ts';
export { runningFormat1RunIds } from './run/format-1-runs.ts';
export { waitOutRefusals } from './run/redis-failure.ts';
export { runKeys, type RunKeys } from './run/run-keys.ts';
export { lookAtQueues, type QueueLook } from './run/queue-look.ts';
export { RunLedger, type CompletedBatch } from './run/run-ledger.ts';
export type { LockOwner } from './run/lock-holder.ts';
export { ObservedRuns, type RunFilter } from './run/observed-runs.ts';
export {
  acquireRunLock,
  describeLockHolder,
  nextRunSequence,
  readLockHolder,
  type RunLock,
} from './run/run-lock.ts';
export {
  isComplete,
  NO_PRODUCER_COUNTS,
  type BatchResult,
  type EndedState,
  type ProducerCounts,
  type RunProgress,
  type RunSpec,
  type RunStage,
  type RunState,
  type WorkerCounts,
} from './run/run.ts';
export {
  announceWorker,
  connectedWorkers,
  type ConnectedWorker,
  type Refusal,
  type WorkerPresence,
} from './run/worker-registry.ts';
export { assertCron, latestFireTime, nextFireTimes, type Cron } from './schedule/cron.ts';
export { startIngestJobs, type IngestJobs } from './schedule/ingest-jobs.ts';
export type { ExecuteOptions, Execution } from './schedule/perform-ingest.ts';
export type {
  IngestRequest,
  IngestRequestOptions,
  IngestResult,
  Overlap,
} from './schedule/ingest-request.ts';
export { keepSchedules, type KeepOptions } from './schedule/keep-schedules.ts';
export {
  scheduleRecordSchema,
  type ConfigFileSource,
  type Schedule,
  type ScheduleSource,
} from './schedule/schedule-record.ts';
export type { ScheduleSnapshot } from './schedule/schedule-store.ts';
export { Schedules, type ListedSchedule } from './schedule/schedules.ts';
export { announceServer, withdrawServer, type Server } from './schedule/server-registry.ts';
export { isLoopback } from './tls.ts';
export { assertCollectionName, generationName, parseGenerationName } from './vector-store/generation-name.ts';
export { readStateFile, writeStateEntry, type StateFile } from './state/state-file.ts';
export { readPrivateFile, writePrivateFile } from './state/private-file.ts';
export { checkStateFolder, isPrivate, openStateFolder } from './state/state-folder.ts';
export { projectKey } from './state/state-location.ts';
export { PAYLOAD_SCHEMA_VERSION, STALE_PAYLOAD_HASH } from './vector-store/payload.ts';
export type { FilterCondition, SearchFilter, ValueMatcher } from './vector-store/filter/search-filter.ts';
export type {
  CountOptions,
  Generation,
  GenerationManifest,
  GenerationPoints,
  Health,
  Point,
  CreateOptions,
  PublishOptions,
  ReadOptions,
  ScannedPoint,
  ScanOptions,
  SearchHit,
  SearchQuery,
  StalePoint,
  StoreKind,
  StoredFingerprint,
  StoredPoint,
  VectorStore,
  WriteOptions,
} from './vector-store/vector-store.ts';
