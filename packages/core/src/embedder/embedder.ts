/**
 * Everything that decides which vector a text gets. It travels with a run and is kept with a collection; a worker
 * resolves `id` against its own configuration and compares `hash`, and never follows a path or URL from a run.
 */
export interface ModelSpec {
  /** Hub id or the name of a folder under the models directory, e.g. `sentence-transformers/all-MiniLM-L6-v2`. */
  readonly id: string;
  /** Commit of the hub repository that it was fetched from; absent for a folder. */
  readonly revision?: string;
  /** SHA-256 (hex) of all files that decide, and of the engine's arithmetic; see engine-identity.ts. */
  readonly hash: string;
  /**
   * What computes its vectors: `kernel` or `onnxruntime`. Absent for a static model, and where a version wrote it that had
   * onnxruntime alone.
   */
  readonly engine?: string;
  /** Of the engine; within one, all machines give the same bits. Absent for onnxruntime. */
  readonly arithmeticVersion?: number;
  /** Which weights file, in transformers.js names, e.g. `q8`. */
  readonly dtype: string;
  readonly pooling: 'mean' | 'cls';
  readonly dimensions: number;
  /** Longest input in tokens, special tokens included; longer texts are cut (and counted as truncated). */
  readonly maxTokens: number;
  /** Put before each text of a corpus, e.g. `passage: `. Empty for most models. */
  readonly passagePrefix: string;
  /** Put before each search text, e.g. `query: `. */
  readonly queryPrefix: string;
}

export interface EmbedOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The vectors of one call, in the order of the texts. */
export interface Embeddings {
  /** Unit-length vectors of `model.dimensions` finite numbers. */
  readonly vectors: readonly Float32Array[];
  /** Tokens of each text as the model saw it, special tokens included. */
  readonly tokens: readonly number[];
  /** True for each text that is longer than the model takes: its end has no part in its vector. Absent when none is. */
  readonly truncated?: readonly boolean[];
}

/**
 * PORT: turns texts into vectors. The same text gives the same vector, whatever else is in the call, however often,
 * in whichever process. Prefixes are the caller's: texts are embedded as given.
 */
export interface Embedder {
  readonly model: ModelSpec;
  /** @throws EmbedlineError EMBEDDING_FAILED, EMBEDDING_INVALID, INTERRUPTED */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Embeddings>;
  /** Tokens of a text alone, without special tokens. */
  countTokens(text: string): number;
  /** Ends every process and connection. Pending calls fail with CLOSED. Idempotent. */
  close(): Promise<void>;
}

export interface MeasuredText {
  readonly tokens: number;
  /** Tokens among them that stand for what is not in the vocabulary. */
  readonly unknown: number;
  /** Characters (UTF-16 units) that they stand for. */
  readonly unknownCharacters: number;
}

/** Counts tokens as the model will, for cutting documents into chunks. */
export interface TokenCounter {
  /** Tokens of the text alone, without special tokens. 0 for an empty text. */
  count(text: string): number;
  /** The same, with what of the text the model has no tokens for. */
  measure(text: string): MeasuredText;
  /** Special tokens that the model adds around each text, e.g. 2 for [CLS] and [SEP]. */
  readonly specialTokens: number;
  /** True when the tokens of two texts, joined where a word ends, are the tokens of each. */
  readonly additive: boolean;
}
