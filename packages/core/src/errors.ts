import { redactSecrets } from './redact.ts';

/** What kind of failure this is; programs switch on it, the exit code follows from it. */
export type ErrorCode =
  | 'USAGE'
  | 'CONFIG_INVALID'
  | 'CONFIG_UNTRUSTED'
  | 'SOURCE_NOT_FOUND'
  | 'SOURCE_EMPTY'
  | 'SOURCE_UNREADABLE'
  | 'SOURCE_IGNORED'
  | 'DUPLICATE_ID'
  | 'IDS_RENAMED'
  | 'RECORD_INVALID'
  | 'STATE_UNSAFE'
  | 'STATE_UNUSABLE'
  | 'REDIS_FORBIDDEN'
  | 'REDIS_UNREACHABLE'
  | 'REDIS_UNSUITABLE'
  | 'REDIS_NOT_INSTALLED'
  | 'STORE_UNREACHABLE'
  | 'STORE_UNAUTHORIZED'
  | 'STORE_REJECTED'
  | 'STORE_FULL'
  | 'INDEXING_STALLED'
  | 'STORE_BUSY'
  | 'STORE_MISMATCH'
  | 'STORE_UNSUITABLE'
  | 'COLLECTION_NOT_FOUND'
  | 'COLLECTION_INCOMPATIBLE'
  | 'MODEL_NOT_FOUND'
  | 'MODEL_INVALID'
  | 'MODEL_MISMATCH'
  | 'CHUNKING_FAILED'
  | 'EMBEDDING_FAILED'
  | 'EMBEDDING_INVALID'
  | 'JOB_INVALID'
  | 'RUN_LOST'
  | 'RUN_INVALID'
  | 'VERSION_UNSUPPORTED'
  | 'SIGNATURE_REFUSED'
  | 'WORKER_REFUSED'
  | 'RUN_NOT_FOUND'
  | 'RUN_LOCKED'
  | 'RUN_SUPERSEDED'
  | 'RUN_CANCELLED'
  | 'DELETE_GUARD'
  | 'GIVEN_UP_GUARD'
  | 'NOTHING_TO_PUBLISH'
  | 'CLOSED'
  | 'INTERRUPTED';

export interface EmbedlineErrorOptions {
  /** The error underneath, kept for the log. */
  readonly cause?: unknown;
  /** True when the same call may succeed later without anyone mending anything. Defaults to false. */
  readonly retryable?: boolean;
}

/**
 * The base of every error that embedline raises on purpose. The message says what failed, on what, and what
 * to do about it; it never holds a secret (whatever was put into it) and never more than an excerpt of a text.
 */
export class EmbedlineError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: EmbedlineErrorOptions = {}) {
    super(redactSecrets(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EmbedlineError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** True for an EmbedlineError, of the given code when one is named. */
export function isEmbedlineError(error: unknown, code?: ErrorCode): error is EmbedlineError {
  return error instanceof EmbedlineError && (code === undefined || error.code === code);
}

/** The message of anything thrown, without secrets, for use inside another message. */
export function messageOf(error: unknown): string {
  return redactSecrets(error instanceof Error ? error.message : String(error));
}
