/**
 * What every program and command needs, without Redis, a vector store or a model: a program that only says how it is
 * used loads nothing else. The whole of core is index.ts.
 */
export { cutText } from './chunking/cut-text.ts';
export { DEFAULT_MODEL_ID } from './embedder/default-model.ts';
export { ENGINE_CHOICES, type EngineChoice } from './embedder/engine/engine-name.ts';
export { EmbedlineError, isEmbedlineError, messageOf, type ErrorCode } from './errors.ts';
export {
  listenForStop,
  Releasers,
  within,
  type Closeable,
  type ListenForStopOptions,
  type ReleaseOptions,
  type StopSignals,
} from './lifecycle.ts';
export { DEFAULT_LOCK_DURATION_MS } from './lock-duration.ts';
export { guardOutput, type GuardedOutput } from './output.ts';
export { IMPATIENT, Outages, type Outage, type OutagesOptions, type Patience } from './outages.ts';
export { redactError, redactSecrets, rememberSecrets } from './redact.ts';
export { safeJson, safeText } from './safe-text.ts';
export { throttle } from './throttle.ts';
export { VERSION } from './version.ts';
