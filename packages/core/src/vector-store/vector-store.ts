import type { ChunkRecord, DocumentMark, Metadata } from '../document.ts';
import type { ModelSpec } from '../embedder/embedder.ts';
import type { SearchFilter } from './filter/search-filter.ts';

export type StoreKind = 'sqlite' | 'qdrant';

/** What is kept with a generation, to decide whether a run may write into it. */
export interface GenerationManifest {
  readonly schemaVersion: number;
  readonly model: ModelSpec;
  /** Fingerprint per pipeline of how its chunks are made (chunking options, schema); see pipeline-fingerprint.ts. */
  readonly pipelines: Readonly<Record<string, string>>;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** When readers saw it first, ISO 8601, UTC; absent for a build that has not ended, and may not be whole. */
  readonly publishedAt?: string;
}

/** A physical collection behind a public name. */
export interface Generation {
  /** The public name (alias). */
  readonly collection: string;
  /** The physical name, `<collection>--g<number>-<part of identity>`; never reused. */
  readonly name: string;
  readonly number: number;
  /** UUID kept inside the store itself: tells two stores apart that look alike. */
  readonly identity: string;
  /** True when the public name points here. */
  readonly live: boolean;
  readonly manifest: GenerationManifest;
}

/** One row of a fingerprint lookup: enough to decide "changed?". */
export interface StoredFingerprint {
  readonly id: string;
  readonly textHash: string;
  readonly payloadHash: string;
  readonly documentMark: DocumentMark | null;
}

export interface Point {
  readonly chunk: ChunkRecord;
  readonly vector: Float32Array;
  /** Present on a point that {@link GenerationPoints.markStale} marked. */
  readonly stale?: true;
}

/** One row of a scan for the sweep. */
export interface ScannedPoint {
  readonly id: string;
  readonly documentId: string;
  readonly chunkIndex: number;
  /** Offset of the chunk within its document, when the scan asked for it. */
  readonly start?: number;
}

/** A point to mark as stale, while it has this text. */
export type StalePoint = Pick<StoredFingerprint, 'id' | 'textHash'>;

/** A whole point read back, for verification and tests. */
export interface StoredPoint extends Point {
  readonly runSequence: number;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface CreateOptions extends ReadOptions {
  /** Build the search index when everything is loaded, not meanwhile; for stores that have one. Defaults to false. */
  readonly deferIndexing?: boolean;
}

export interface PublishOptions extends ReadOptions {
  /** Told, now and then, how far an index is that has to be built first. */
  readonly onWaiting?: (text: string) => void;
}

export type ScanOptions = ReadOptions & {
  /** Read the offset of each chunk as well, which costs a look at its payload. Defaults to false. */
  readonly withStart?: boolean;
} & (
    | { readonly pipeline?: string; readonly documentId?: never }
    | { readonly pipeline: string; readonly documentId: string }
  );

export interface Health {
  readonly healthy: boolean;
  /** For people. */
  readonly detail: string;
}

/** Every in-place write carries the run's sequence: a point written by a later run is left as it is. */
export interface WriteOptions extends ReadOptions {
  readonly runSequence: number;
}

export interface CountOptions extends ReadOptions {
  readonly pipeline?: string;
  readonly filter?: SearchFilter;
}

export interface SearchQuery extends ReadOptions {
  readonly vector: Float32Array;
  /** Defaults to 10. */
  readonly limit?: number;
  /** Defaults to every point. */
  readonly filter?: SearchFilter;
  /** Compare with every point instead of an index. Defaults to false. */
  readonly exact?: boolean;
  /** Told the id of each point that would be a hit and is left out, because embedline cannot have written its payload. */
  readonly onDamaged?: ((id: string) => void) | undefined;
}

export interface SearchHit {
  readonly id: string;
  /** Cosine similarity, -1 to 1. */
  readonly score: number;
  readonly documentId: string;
  readonly chunkIndex: number;
  readonly text: string;
  readonly title: string | null;
  readonly start: number;
  readonly end: number;
  readonly metadata: Metadata;
  /** Present when the document says something else by now, and its new text could not be embedded. */
  readonly stale?: true;
}

/** The points of one generation. All writes are idempotent; when one returns, its effect is durable. */
export interface GenerationPoints {
  readonly generation: Generation;
  /** Up to 1,000 ids a call; absent ids are absent from the map. */
  fingerprints(ids: readonly string[], options?: ReadOptions): Promise<Map<string, StoredFingerprint>>;
  /** For up to 1,000 text hashes, the id of one point that has it. */
  findByTextHash(hashes: readonly string[], options?: ReadOptions): Promise<Map<string, string>>;
  /** Whole points by id; up to 1,000 ids a call. One whose payload embedline cannot have written is absent. */
  retrieve(ids: readonly string[], options?: ReadOptions): Promise<Map<string, StoredPoint>>;
  /** Any number of points; split into requests by count and bytes. @throws STORE_REJECTED for a bad point */
  upsert(points: readonly Point[], options: WriteOptions): Promise<void>;
  /** Replaces the payload of existing points and keeps their vectors. */
  updatePayloads(chunks: readonly ChunkRecord[], options: WriteOptions): Promise<void>;
  /**
   * Marks points that hold what their documents said before: `stale: true` in the payload, in search results, and a
   * payload hash that no chunk has. Any later write of a point clears the mark. A point that has another text by now is
   * left as it is.
   */
  markStale(points: readonly StalePoint[], options: WriteOptions): Promise<void>;
  delete(ids: readonly string[], options: WriteOptions): Promise<void>;
  /** Streams every point of a pipeline (or of all, or of one document of a pipeline) in pages, in bounded memory. */
  scan(options?: ScanOptions): AsyncIterable<readonly ScannedPoint[]>;
  /** Exact count of the points of a pipeline or of all, and of those that pass a filter. */
  count(options?: CountOptions): Promise<number>;
  search(query: SearchQuery): Promise<readonly SearchHit[]>;
  /** What the store itself says of the state that the points are in. Takes as long as reading them all may take. */
  health(options?: ReadOptions): Promise<Health>;
  close(): Promise<void>;
}

/** PORT: a vector store with generations behind public names. */
export interface VectorStore {
  readonly kind: StoreKind;
  /** Where it is, for messages; without credentials. */
  readonly location: string;
  /** Of the server or library behind it, for messages. */
  readonly version: string;
  /** Every generation of one collection, or of all, oldest first. Touches nothing that embedline did not make. */
  generations(collection?: string, options?: ReadOptions): Promise<readonly Generation[]>;
  /** Makes the next generation, with its indexes and identity, not yet live. @throws COLLECTION_INCOMPATIBLE when the public name is taken by something that is not embedline's */
  createGeneration(
    collection: string,
    manifest: GenerationManifest,
    options?: CreateOptions,
  ): Promise<Generation>;
  /** Notes in the manifest which fingerprint a pipeline of this generation has. */
  recordPipeline(generation: Generation, pipeline: string, fingerprint: string): Promise<void>;
  /**
   * Moves the public name to this generation in one step, and notes when; readers see the old or the new, never neither,
   * and none whose index is not built.
   */
  publish(generation: Generation, options?: PublishOptions): Promise<void>;
  /** Removes a generation and its points, and the public name if it pointed here. Absent is fine. */
  dropGeneration(generation: Generation, options?: ReadOptions): Promise<void>;
  /** Opens the points of a generation. @throws STORE_MISMATCH when the identity found there is another, COLLECTION_NOT_FOUND when it is not there */
  open(
    generation: Pick<Generation, 'collection' | 'name' | 'identity'>,
    options?: ReadOptions,
  ): Promise<GenerationPoints>;
  close(): Promise<void>;
}
