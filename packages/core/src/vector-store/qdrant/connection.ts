import { QdrantClient } from '@qdrant/js-client-rest';
import { EmbedlineError } from '../../errors.ts';
import { isLoopback } from '../../tls.ts';
import { IMPATIENT, type Patience } from '../../outages.ts';
import { toEmbedlineError } from './qdrant-errors.ts';
import { watchRetryAfter, type RetryAfter } from './retry-after.ts';
import { withRetries, type RetryOptions } from './retry.ts';
import { sendJson, type JsonRequest } from './send-json.ts';

export interface QdrantConnectionOptions {
  /** `http(s)://host[:port][/prefix]`; without a port, Qdrant's own 6333 is meant. */
  readonly url: string;
  readonly apiKey?: string;
  /** For one request. Defaults to 60,000. */
  readonly timeoutMs?: number;
  /** Calls in all, of which the last one's error counts. Defaults to 6, or to 3 with patience. */
  readonly attempts?: number;
  readonly onWarning?: (message: string) => void;
  /** Whether calls outlast what retries cannot mend. Defaults to {@link IMPATIENT}. */
  readonly patience?: Patience;
  readonly sleep?: RetryOptions['sleep'];
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly attempts?: number | undefined;
}

const DEFAULT_PORT = 6333;
const MIN_VERSION = [1, 16] as const;
const REQUEST_TIMEOUT_MS = 60_000;

/** A client with our retries and our errors around each call. */
export class QdrantConnection {
  readonly location: string;
  readonly #client: QdrantClient;
  readonly #options: QdrantConnectionOptions;
  readonly #retryAfter: RetryAfter;
  #closed = false;
  #version = 'unknown';

  constructor(options: QdrantConnectionOptions) {
    const { host, port, https, prefix } = parseUrl(options.url);
    this.location = `${https ? 'https' : 'http'}://${host}:${port}${prefix}`;
    this.#options = options;
    this.#retryAfter = watchRetryAfter(new URL(this.location).origin);
    if (options.apiKey !== undefined && !https && !isLoopback(host)) {
      this.warn(`The API key goes to ${this.location} unencrypted. Use https.`);
    }
    this.#client = silently(
      () =>
        new QdrantClient({
          host,
          port,
          https,
          prefix,
          ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
          timeout: options.timeoutMs ?? REQUEST_TIMEOUT_MS,
          maxConnections: 4,
          checkCompatibility: false,
        }),
    );
  }

  /**
   * One idempotent call.
   * @param operation for messages, e.g. `an upsert into docs--g1`
   * @throws EmbedlineError STORE_UNREACHABLE, STORE_UNAUTHORIZED, STORE_FULL, STORE_REJECTED, COLLECTION_NOT_FOUND
   */
  async call<T>(
    operation: string,
    request: (client: QdrantClient) => Promise<T>,
    options: CallOptions = {},
  ): Promise<T> {
    const { patience = IMPATIENT } = this.#options;
    return patience.waitOut(() => this.#retry(operation, request, options), options.signal);
  }

  async #retry<T>(
    operation: string,
    request: (client: QdrantClient) => Promise<T>,
    { signal, attempts }: CallOptions,
  ): Promise<T> {
    if (this.#closed)
      throw new EmbedlineError('CLOSED', `The connection to Qdrant at ${this.location} was closed.`);
    try {
      return await withRetries(() => request(this.#client), {
        attempts: attempts ?? this.#options.attempts ?? this.#usualAttempts,
        signal,
        sleep: this.#options.sleep,
        serverDelayMs: () => this.#retryAfter.remainingMs(),
      });
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw toEmbedlineError(error, operation, this);
    }
  }

  /** Whoever is patient soon wants to know of an outage; others shall not see one that is short. */
  get #usualAttempts(): number {
    return this.#options.patience === undefined || this.#options.patience === IMPATIENT ? 6 : 3;
  }

  /** A write counts only when the server says that it is applied (hazards Q1, Q3). */
  async write(
    operation: string,
    request: (
      client: QdrantClient,
    ) => Promise<{ readonly status: string } | readonly { readonly status: string }[]>,
    signal?: AbortSignal,
  ): Promise<void> {
    const applied = async (client: QdrantClient) => {
      const answer = await request(client);
      const statuses = Array.isArray(answer)
        ? answer.map(({ status }) => status)
        : [(answer as { status: string }).status];
      const other = statuses.find((status) => status !== 'completed');
      // 408 is what the server answers where it does not put it into the body: retried in the same way.
      if (other !== undefined) throw Object.assign(new Error(`the write is only ${other}`), { status: 408 });
    };
    await this.call(operation, applied, { signal });
  }

  /** Of the server; `unknown` until it was asked. */
  get version(): string {
    return this.#version;
  }

  /** A write to the points of a collection whose body is JSON already; see {@link sendJson}. */
  async writeJson(
    operation: string,
    { method, path, body }: Pick<JsonRequest, 'method' | 'body'> & { readonly path: string },
    signal?: AbortSignal,
  ): Promise<void> {
    const { apiKey, timeoutMs = REQUEST_TIMEOUT_MS } = this.#options;
    const url = `${this.location}${path}?wait=true&ordering=medium`;
    await this.write(operation, () => sendJson({ method, url, body, apiKey, timeoutMs, signal }), signal);
  }

  /** Tells whoever opened it. */
  warn(message: string): void {
    this.#options.onWarning?.(message);
  }

  /** @throws EmbedlineError STORE_UNREACHABLE, STORE_UNAUTHORIZED, STORE_UNSUITABLE */
  async assertServer(signal?: AbortSignal): Promise<void> {
    // Not patient: whoever opens a store is told at once that it is not there.
    const options = { signal, attempts: 2 };
    const { data } = await this.#retry('the version check', (client) => client.api().root({}), options);
    const version: unknown = (data as { version?: unknown } | null)?.version;
    if (typeof version !== 'string') {
      throw new EmbedlineError(
        'STORE_UNREACHABLE',
        `What answered at ${this.location} is not Qdrant. Check QDRANT_URL.`,
      );
    }
    this.#version = version;
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major < MIN_VERSION[0] || (major === MIN_VERSION[0] && minor < MIN_VERSION[1])) {
      throw new EmbedlineError(
        'STORE_UNSUITABLE',
        `Qdrant at ${this.location} is version ${version}; embedline needs 1.16 or later.`,
      );
    }
    // The root answers without a key; this does not.
    await this.#retry('the access check', (client) => client.getCollections(), options);
  }

  close(): void {
    this.#closed = true;
    this.#retryAfter.close();
  }
}

/** By hand, since the client drops a path, and the URL class drops an explicit port 80 or 443, which the client then takes for 6333. */
function parseUrl(url: string): { host: string; port: number; https: boolean; prefix: string } {
  const parsed = new URL(url);
  const https = parsed.protocol === 'https:';
  const authority = /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? '';
  const explicit = /:(\d+)$/.exec(authority)?.[1];
  const prefix = parsed.pathname.replace(/(?<!\/)\/+$/, '');
  return {
    host: parsed.hostname,
    port: explicit === undefined ? DEFAULT_PORT : Number(explicit),
    https,
    prefix,
  };
}

/** The client warns of an unencrypted key on the console; we have our own way to say it. */
function silently<T>(create: () => T): T {
  /* oxlint-disable no-console -- the client has no other switch */
  const { warn } = console;
  console.warn = () => undefined;
  try {
    return create();
  } finally {
    console.warn = warn;
  }
}
