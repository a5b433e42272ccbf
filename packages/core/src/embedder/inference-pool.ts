import { EmbedlineError } from '../errors.ts';
import { mixesLengths } from './engine/engine-settings.ts';
import { ChildDied, InferenceChild } from './inference-child.ts';
import type { InferenceSettings } from './inference-protocol.ts';
import { MicroBatchQueue } from './micro-batch-queue.ts';

export interface InferencePoolOptions {
  readonly settings: InferenceSettings;
  readonly processes: number;
  /** Tokens that go through the network together; see {@link MicroBatchQueue.take}. May be set later. */
  readonly microBatchTokens: number;
  /** For messages. */
  readonly modelId: string;
  /** Told of each process that ended without being told to, e.g. by which signal. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Defaults to a process with the model of `settings`. */
  readonly startChild?: (settings: InferenceSettings) => InferenceChild;
}

/** One micro-batch is computed while the next waits in the process, so that it never waits for its parent. */
const REQUESTS_PER_CHILD = 2;
/** So many processes are lost to one text before it is held to be the cause. */
const MAX_DEATHS_PER_TEXT = 2;
/** So many processes in a row that die before they are ready mean that starting another is no use. */
const MAX_FAILED_STARTS = 3;

interface Call {
  readonly vectors: Float32Array[];
  readonly answer: PromiseWithResolvers<readonly Float32Array[]>;
  missing: number;
  settled: boolean;
}

interface PendingText {
  readonly ids: readonly number[];
  readonly call: Call;
  readonly position: number;
  /** Processes that died while they worked at it. */
  readonly deaths: number;
}

/**
 * Keeps inference processes busy with the texts of all calls, pooled into micro-batches. A micro-batch that fails, or
 * during which its process dies, is tried again text by text: so the text that is to blame is found, and fails its call
 * only; those beside it and those of other calls come through.
 */
export class InferencePool {
  readonly #options: InferencePoolOptions;
  readonly #queue: MicroBatchQueue<PendingText>;
  readonly #calls = new Set<Call>();
  readonly #children: InferenceChild[];
  #microBatchTokens: number;
  #failedStarts = 0;
  #closed = false;

  constructor(options: InferencePoolOptions) {
    this.#options = options;
    this.#queue = new MicroBatchQueue({ mixesLengths: mixesLengths(options.settings.engine) });
    this.#microBatchTokens = options.microBatchTokens;
    this.#children = Array.from({ length: options.processes }, () => this.#startChild());
  }

  get children(): readonly InferenceChild[] {
    return this.#children;
  }

  /** Every text goes through the network without company from now on. */
  embedOneByOne(): void {
    this.#microBatchTokens = 0;
  }

  /**
   * @param texts token ids of each text
   * @returns their vectors, views into larger buffers
   * @throws EmbedlineError EMBEDDING_FAILED, MODEL_INVALID, CLOSED; the signal's reason
   */
  async embed(texts: readonly (readonly number[])[], signal?: AbortSignal): Promise<readonly Float32Array[]> {
    signal?.throwIfAborted();
    if (this.#closed) throw closed();
    if (!this.#mayStart && this.#children.every(({ alive }) => !alive)) throw this.#cannotStart();
    if (texts.length === 0) return [];
    const call: Call = {
      vectors: Array<Float32Array>(texts.length),
      answer: Promise.withResolvers(),
      missing: texts.length,
      settled: false,
    };
    this.#calls.add(call);
    const abort = () => this.#fail(call, signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    texts.forEach((ids, position) => this.#queue.add({ ids, call, position, deaths: 0 }));
    this.#dispatch();
    try {
      return await call.answer.promise;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Pending calls fail with CLOSED. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const call of this.#calls) this.#fail(call, closed());
    await Promise.all(this.#children.map((child) => child.close()));
  }

  #startChild(): InferenceChild {
    const { settings, startChild = (wanted) => new InferenceChild(wanted) } = this.#options;
    const child = startChild(settings);
    child.ready.then(this.#onReady, this.#onFailedStart);
    void child.died.then(this.#onDied);
    return child;
  }

  readonly #onDied = ({ message }: ChildDied): void => {
    if (!this.#closed) this.#options.onWarning?.(message);
  };

  readonly #onReady = (): void => {
    this.#failedStarts = 0;
    this.#dispatch();
  };

  readonly #onFailedStart = (error: unknown): void => {
    if (this.#closed) return;
    this.#failedStarts += 1;
    if (error instanceof ChildDied && this.#mayStart) return this.#dispatch();
    // Those that run may go on by themselves, with what memory there is.
    if (this.#children.some(({ alive }) => alive)) return;
    const reason = error instanceof ChildDied ? this.#cannotStart() : error;
    for (const call of this.#calls) this.#fail(call, reason);
  };

  get #mayStart(): boolean {
    return this.#failedStarts < MAX_FAILED_STARTS;
  }

  /** Gives every process with room the next micro-batch. */
  #dispatch(): void {
    if (this.#closed) return;
    for (let turn = 0; turn < REQUESTS_PER_CHILD; turn += 1) {
      this.#children.forEach((_, index) => {
        if (this.#children[index]?.alive === false && this.#mayStart && this.#calls.size > 0)
          this.#children[index] = this.#startChild();
        const child = this.#children[index];
        if (child?.isReady !== true || child.load > turn) return;
        const texts = this.#queue.take(this.#microBatchTokens);
        if (texts.length > 0) void this.#run(child, texts);
      });
    }
  }

  async #run(child: InferenceChild, texts: readonly PendingText[]): Promise<void> {
    try {
      const vectors = await child.embed(texts.map(({ ids }) => ids));
      const { dimensions } = this.#options.settings;
      texts.forEach((text, index) =>
        this.#receive(text, vectors.subarray(index * dimensions, (index + 1) * dimensions)),
      );
    } catch (error) {
      this.#tryAgain(texts, error);
    }
    this.#dispatch();
  }

  #receive({ call, position }: PendingText, vector: Float32Array): void {
    if (call.settled) return;
    call.vectors[position] = vector;
    call.missing -= 1;
    if (call.missing > 0) return;
    this.#settle(call);
    call.answer.resolve(call.vectors);
  }

  #tryAgain(texts: readonly PendingText[], error: unknown): void {
    const died = error instanceof ChildDied;
    for (const text of texts) {
      if (text.call.settled) continue;
      if (died && !error.working) this.#queue.add(text);
      else if (died && text.deaths + 1 < MAX_DEATHS_PER_TEXT)
        this.#queue.addAlone({ ...text, deaths: text.deaths + 1 });
      else if (!died && texts.length > 1) this.#queue.addAlone(text);
      else this.#fail(text.call, error);
    }
  }

  #fail(call: Call, reason: unknown): void {
    if (call.settled) return;
    this.#settle(call);
    this.#queue.remove((text) => text.call === call);
    call.answer.reject(reason);
  }

  #settle(call: Call): void {
    call.settled = true;
    this.#calls.delete(call);
  }

  #cannotStart(): EmbedlineError {
    return new EmbedlineError(
      'MODEL_INVALID',
      `${this.#failedStarts} inference processes in a row died while loading ${this.#options.modelId}. Check the memory of this machine.`,
    );
  }
}

function closed(): EmbedlineError {
  return new EmbedlineError('CLOSED', 'The embedder was closed.');
}
