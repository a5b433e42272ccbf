import { EmbedlineError, messageOf } from '../../errors.ts';
import { certificateTrouble } from '../../tls.ts';

/** The server as messages name it, without credentials. */
export interface ServerName {
  readonly location: string;
}

/** What a failed call came back with, as far as it can be told. */
export interface CallFailure {
  /** HTTP status, or null when there was no answer. */
  readonly status: number | null;
  /** Qdrant's own words. */
  readonly reason: string;
  /** True when the answer is not one of Qdrant's: a proxy or another program. */
  readonly foreign: boolean;
}

/** Reads the several classes of error that the client throws (hazards Q5). */
export function failureOf(error: unknown): CallFailure {
  const { status, data } = error as { status?: unknown; data?: unknown };
  if (typeof status === 'number') {
    const own = (data as { status?: { error?: unknown } } | null)?.status?.error;
    const reason =
      typeof own === 'string' ? own : typeof data === 'string' ? data.slice(0, 200) : messageOf(error);
    return { status, reason, foreign: typeof data === 'string' && /^\s*</.test(data) };
  }
  // "Result came uninitialized": a body of status 200 that is not Qdrant's.
  if (error instanceof Error && error.message === 'Result came uninitialized')
    return { status: 200, reason: 'no result', foreign: true };
  if (error instanceof Error && error.constructor.name === 'QdrantClientResourceExhaustedError') {
    return { status: 429, reason: error.message, foreign: false };
  }
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  return {
    status: null,
    reason: cause?.code ?? cause?.message ?? messageOf(error),
    foreign: error instanceof SyntaxError,
  };
}

const RETRYABLE = new Set([408, 425, 429, 500, 502, 503, 504]);
const NO_SPACE = /no space left|disk.*full|quota/i;

/** True when the same call may succeed if it is made again. */
export function isTransient({ status, reason, foreign }: CallFailure): boolean {
  if (status === null) return !foreign;
  return RETRYABLE.has(status) && !NO_SPACE.test(reason);
}

/** True for a connection that broke off: the server closes idle ones just when a request is sent (hazards Q6). */
export function isBrokenConnection({ status, reason }: CallFailure): boolean {
  return status === null && /ECONNRESET|UND_ERR_SOCKET|other side closed/.test(reason);
}

/** The one place where Qdrant's answers become our errors. */
export function toEmbedlineError(
  error: unknown,
  operation: string,
  { location }: ServerName,
): EmbedlineError {
  if (error instanceof EmbedlineError) return error;
  const failure = failureOf(error);
  const { status, reason } = failure;
  const options = { cause: error };
  const where = `Qdrant at ${location}`;
  if (failure.foreign) {
    const text = `What answered at ${location} is not Qdrant (${operation}). Check QDRANT_URL, and what stands in front of it.`;
    // A proxy shows a page of its own while what is behind it is away.
    return new EmbedlineError('STORE_UNREACHABLE', text, { ...options, retryable: true });
  }
  const certificate = status === null ? certificateTrouble(reason) : null;
  if (certificate !== null)
    return new EmbedlineError('STORE_UNREACHABLE', `${where} cannot be trusted: ${certificate}`, options);
  if (status === 401 || status === 403) {
    return new EmbedlineError(
      'STORE_UNAUTHORIZED',
      `${where} refused access: ${reason}. Set QDRANT_API_KEY to a key that may write.`,
      options,
    );
  }
  if (status === 507 || NO_SPACE.test(reason)) {
    return new EmbedlineError(
      'STORE_FULL',
      `${where} has no room left: ${reason}. Free some; work goes on by itself then.`,
      { ...options, retryable: true },
    );
  }
  if (status === 404)
    return new EmbedlineError('COLLECTION_NOT_FOUND', `${where}: ${reason} (${operation}).`, options);
  if (status === 409)
    return new EmbedlineError('COLLECTION_INCOMPATIBLE', `${where}: ${reason} (${operation}).`, options);
  if (status !== null && status >= 400 && status < 500 && !isTransient(failure)) {
    return new EmbedlineError('STORE_REJECTED', `${where} rejected ${operation}: ${reason}`, options);
  }
  const text =
    status === null
      ? `${where} cannot be reached (${reason}). Start it, or correct QDRANT_URL, or unset it to use the embedded store.`
      : `${where} cannot serve ${operation} now (${status}: ${reason}).`;
  return new EmbedlineError('STORE_UNREACHABLE', text, { ...options, retryable: true });
}
