import {
  EmbedlineError,
  sameModel,
  type Config,
  type createEmbedder,
  type Embedder,
  type EmbedderOptions,
  type GenerationPoints,
  type ModelSpec,
  type RunLedger,
  type RunSpec,
  type VectorStore,
} from '@embedline/core';

/** A run that this worker may work for: its specification, resolved against the worker's own configuration. */
export interface OpenRun {
  readonly spec: RunSpec;
  readonly points: Pick<GenerationPoints, 'upsert' | 'close'>;
  readonly embedder: Embedder;
}

/** Where a batch gets its run from. */
export interface RunSource {
  /** @throws EmbedlineError RUN_LOST, STORE_MISMATCH, COLLECTION_NOT_FOUND, MODEL_NOT_FOUND, MODEL_MISMATCH */
  open(runId: string, signal: AbortSignal): Promise<OpenRun>;
}

export interface OpenRunsOptions {
  readonly ledger: RunLedger;
  readonly store: VectorStore;
  readonly config: Config;
  readonly embedder: EmbedderOptions;
  readonly openEmbedder: typeof createEmbedder;
}

/** Runs and models kept open: a fleet rarely works for more at a time, and each model costs hundreds of MB. */
const MAX_OPEN_RUNS = 16;
const MAX_OPEN_MODELS = 2;

/**
 * Opens runs by id. Proves that this worker sees the run's own store (by the identity kept inside it) and has the
 * run's own model (by hash) before anything is written. Nothing in a run is a path or URL to follow.
 */
export class OpenRuns implements RunSource {
  readonly #options: OpenRunsOptions;
  readonly #runs = new Map<string, Promise<OpenRun>>();
  readonly #models = new Map<string, Promise<Embedder>>();

  constructor(options: OpenRunsOptions) {
    this.#options = options;
  }

  open(runId: string, signal: AbortSignal): Promise<OpenRun> {
    const known = this.#runs.get(runId);
    if (known !== undefined) {
      touch(this.#runs, runId, known);
      return known;
    }
    const opening = this.#open(runId, signal);
    this.#runs.set(runId, opening);
    opening.catch(() => this.#runs.delete(runId));
    void this.#evict(this.#runs, MAX_OPEN_RUNS, (run) => run.points.close());
    return opening;
  }

  async close(): Promise<void> {
    await this.#evict(this.#runs, 0, (run) => run.points.close());
    await this.#evict(this.#models, 0, (embedder) => embedder.close());
  }

  async #open(runId: string, signal: AbortSignal): Promise<OpenRun> {
    const spec = await this.#options.ledger.spec(runId);
    if (spec === null) {
      throw new EmbedlineError(
        'RUN_LOST',
        `Run ${runId} is not in Redis any more: its jobs are dropped. Ingest again.`,
      );
    }
    const { store } = this.#options;
    if (spec.storeKind !== store.kind) {
      throw new EmbedlineError(
        'STORE_MISMATCH',
        `Run ${runId} writes to ${spec.storeKind}, but this worker is set up for ${store.kind} (${store.location}). ` +
          (spec.storeKind === 'qdrant'
            ? `Start it with the QDRANT_URL of the producer.`
            : `SQLite is for one machine: start the worker there, with the EMBEDLINE_HOME of the producer and without QDRANT_URL.`),
      );
    }
    const [points, embedder] = await Promise.all([
      store.open(spec.generation, { signal }),
      this.#model(spec.model),
    ]);
    return { spec, points, embedder };
  }

  #model(spec: ModelSpec): Promise<Embedder> {
    const key = `${spec.id}@${spec.hash}`;
    const known = this.#models.get(key);
    if (known !== undefined) {
      touch(this.#models, key, known);
      return known;
    }
    const { config, embedder, openEmbedder } = this.#options;
    const opening = openEmbedder(
      {
        id: spec.id,
        revision: spec.revision,
        dtype: spec.dtype,
        modelsDirectory: config.modelsDirectory,
        dataDirectory: config.dataDirectory,
        allowRemote: config.allowRemoteModels,
        hub: config.hub,
      },
      embedder,
    ).then(async (opened) => {
      if (sameModel(opened.model, spec)) return opened;
      await opened.close();
      throw new EmbedlineError(
        'MODEL_MISMATCH',
        `The run wants model ${spec.id} (${spec.hash.slice(0, 12)}, ${spec.dtype}), but the one of that name here is ` +
          `${opened.model.hash.slice(0, 12)}, ${opened.model.dtype}. Copy the producer's model folder to this machine's ` +
          `EMBEDLINE_MODELS (${config.modelsDirectory}).`,
      );
    });
    this.#models.set(key, opening);
    opening.catch(() => this.#models.delete(key));
    void this.#evict(this.#models, MAX_OPEN_MODELS, (old) => old.close());
    return opening;
  }

  async #evict<T>(
    cache: Map<string, Promise<T>>,
    keep: number,
    close: (value: T) => Promise<void>,
  ): Promise<void> {
    const closing: Promise<void>[] = [];
    for (const [key, value] of cache) {
      if (cache.size <= keep) break;
      cache.delete(key);
      closing.push(value.then(close, () => undefined));
    }
    await Promise.all(closing);
  }
}

/** Least recently used goes first: a Map keeps insertion order. */
function touch<T>(cache: Map<string, T>, key: string, value: T): void {
  cache.delete(key);
  cache.set(key, value);
}
