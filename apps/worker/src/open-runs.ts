import {
  describeEngine,
  EmbedlineError,
  engineOf,
  format1ModelHash,
  resolveModel,
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
import { Lending } from './lending.ts';
import { keyOf, ModelTurns } from './model-turns.ts';

/** A run that this worker may work for: its specification, resolved against the worker's own configuration. */
export interface OpenRun {
  readonly spec: RunSpec;
  readonly points: Pick<GenerationPoints, 'upsert' | 'close'>;
  readonly embedder: Embedder;
}

/** A place for one batch of a run: what it needs is open until it is given back. */
export interface BorrowedRun {
  /** @throws EmbedlineError what {@link RunSource.prove} does */
  open(signal: AbortSignal): Promise<OpenRun>;
  /** Idempotent. */
  release(): void;
}

/** Where a worker gets its runs from. */
export interface RunSource {
  /**
   * Proves that this worker can serve a run: its version, its store, its model.
   * @throws EmbedlineError RUN_LOST, RUN_INVALID, VERSION_UNSUPPORTED, STORE_MISMATCH, COLLECTION_NOT_FOUND, MODEL_NOT_FOUND,
   * MODEL_MISMATCH, ...; retryable while a service is away
   */
  prove(runId: string, signal: AbortSignal): Promise<RunSpec>;
  /** Takes a place for one batch; null while it is not the turn of the run's model. */
  borrow(spec: RunSpec): BorrowedRun | null;
  /** Told which runs have batches that wait. */
  retain(runs: readonly RunSpec[]): void;
}

export interface OpenRunsOptions {
  readonly ledger: RunLedger;
  readonly store: VectorStore;
  readonly config: Config;
  readonly embedder: EmbedderOptions;
  readonly openEmbedder: typeof createEmbedder;
  /** Models open at a time. Defaults to 2. */
  readonly maxOpenModels?: number;
  /** Milliseconds that a model is used before it makes room for another. Defaults to 20,000. */
  readonly modelTurnMs?: number;
}

function describeModel(model: ModelSpec): string {
  return [model.hash.slice(0, 12), model.dtype, describeEngine(model)]
    .filter((part) => part !== null)
    .join(', ');
}

/** Generations that nobody uses are kept open for the next batch: a fleet rarely works for more runs at a time. */
const MAX_IDLE_RUNS = 16;
const MAX_OPEN_MODELS = 2;
/** Long beside the seconds that loading a model takes. */
const MODEL_TURN_MS = 20_000;
/** The files of a model are hashed again for a run that begins later than this. */
const MODEL_PROOF_MS = 30_000;

/**
 * Opens runs by id. Proves that this worker sees the run's own store (by the identity kept inside it) and has the
 * run's own model (by hash) before a batch is taken. Nothing in a run is a path or URL to follow.
 */
export class OpenRuns implements RunSource {
  readonly #options: OpenRunsOptions;
  readonly #generations = new Lending<GenerationPoints>({ maxIdle: MAX_IDLE_RUNS });
  readonly #models: ModelTurns;
  readonly #proofs = new Map<string, { readonly proof: Promise<void>; readonly atMs: number }>();
  /** Models by the names that runs of format 1 give them. */
  readonly #renamed = new Map<string, ModelSpec>();

  constructor(options: OpenRunsOptions) {
    this.#options = options;
    this.#models = new ModelTurns({
      open: (model) => this.#openModel(model),
      maxOpen: options.maxOpenModels ?? MAX_OPEN_MODELS,
      turnMs: options.modelTurnMs ?? MODEL_TURN_MS,
    });
  }

  async prove(runId: string, signal: AbortSignal): Promise<RunSpec> {
    const spec = await this.#options.ledger.spec(runId);
    if (spec === null) {
      throw new EmbedlineError(
        'RUN_LOST',
        `Run ${runId} is not in Redis any more: its jobs are dropped. Ingest again.`,
      );
    }
    this.#assertStoreKind(spec);
    // Anew, and not the one that is open: it may have been dropped since.
    const points = await this.#options.store.open(spec.generation, { signal });
    await points.close();
    if (!this.#models.isOpen(this.#modelOf(spec))) await this.#proveModel(spec);
    return spec;
  }

  borrow(spec: RunSpec): BorrowedRun | null {
    const model = this.#models.borrow(this.#modelOf(spec));
    if (model === null) return null;
    let release = () => model.release();
    return {
      open: async (signal) => {
        const points = this.#generations.borrow(spec.generation.identity, () =>
          this.#options.store.open(spec.generation, { signal }),
        );
        release = () => {
          points.release();
          model.release();
        };
        const opening = model.value();
        opening.catch(() => undefined);
        return { spec, points: await points.value(), embedder: await opening };
      },
      release: () => release(),
    };
  }

  retain(runs: readonly RunSpec[]): void {
    this.#models.retain(runs.map((run) => this.#modelOf(run)));
  }

  async close(): Promise<void> {
    await this.#generations.close();
    await this.#models.close();
  }

  #assertStoreKind({ runId, storeKind }: RunSpec): void {
    const { store } = this.#options;
    if (storeKind === store.kind) return;
    throw new EmbedlineError(
      'STORE_MISMATCH',
      `Run ${runId} writes to ${storeKind}, but this worker is set up for ${store.kind} (${store.location}). ` +
        (storeKind === 'qdrant'
          ? `Start it with the QDRANT_URL of the producer.`
          : `SQLite is for one machine: start the worker there, with the EMBEDLINE_HOME of the producer and without QDRANT_URL.`),
    );
  }

  #modelOf({ model }: RunSpec): ModelSpec {
    return this.#renamed.get(keyOf(model)) ?? model;
  }

  /** By the hash of its files, without loading it. Runs that begin together ask once. */
  #proveModel(run: RunSpec): Promise<void> {
    const key = `${run.version} ${keyOf(run.model)}`;
    const known = this.#proofs.get(key);
    if (known !== undefined && Date.now() - known.atMs < MODEL_PROOF_MS) return known.proof;
    const proof = this.#compareModel(run);
    this.#proofs.set(key, { proof, atMs: Date.now() });
    proof.catch(() => this.#proofs.delete(key));
    return proof;
  }

  async #compareModel({ model, version }: RunSpec): Promise<void> {
    const found = await resolveModel(this.#sought(model));
    const isRenamed = version === 1 && !sameModel(found.spec, model);
    const hash = isRenamed ? await format1ModelHash(found) : found.spec.hash;
    this.#assertSame({ ...found.spec, hash }, model);
    if (isRenamed) this.#renamed.set(keyOf(model), found.spec);
  }

  async #openModel(spec: ModelSpec): Promise<Embedder> {
    const { embedder, openEmbedder } = this.#options;
    const opened = await openEmbedder(this.#sought(spec), embedder);
    try {
      this.#assertSame(opened.model, spec);
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** Only what names a model: where it is found is this worker's own affair. */
  #sought(spec: ModelSpec) {
    const { id, revision, dtype } = spec;
    const { modelsDirectory, dataDirectory, allowRemoteModels: allowRemote, hub } = this.#options.config;
    return {
      id,
      ...(revision === undefined ? {} : { revision }),
      dtype,
      engine: engineOf(spec),
      modelsDirectory,
      dataDirectory,
      allowRemote,
      hub,
    };
  }

  #assertSame(found: ModelSpec, wanted: ModelSpec): void {
    if (sameModel(found, wanted)) return;
    throw new EmbedlineError(
      'MODEL_MISMATCH',
      `The run wants model ${wanted.id} (${describeModel(wanted)}), but the one of that name here is ` +
        `${describeModel(found)}. Copy the producer's model folder to this machine's ` +
        `EMBEDLINE_MODELS (${this.#options.config.modelsDirectory}).`,
    );
  }
}
