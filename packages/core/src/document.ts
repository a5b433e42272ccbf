/**
 * The vocabulary of the whole project, used everywhere without synonyms:
 *
 *   document     one input item: id, text, metadata
 *   chunk        a piece of a document's text, with its offsets
 *   batch        the chunks of one job
 *   job          a BullMQ job
 *   run          one ingest of one pipeline
 *   pipeline     a named source -> chunking -> model -> collection
 *   collection   the public name, an alias; generation: the physical collection behind it
 *   point        what a vector store keeps: id, vector, payload
 *   fingerprint  a hash that decides "changed?"
 *   dead letter  a chunk or record given up on, with its reason
 */

export type MetadataScalar = string | number | boolean | null;
export type MetadataValue = MetadataScalar | readonly MetadataScalar[];
/** Whitelisted fields of a document; a null-prototype object, so that a key such as `__proto__` is only a key. */
export type Metadata = Readonly<Record<string, MetadataValue>>;

/** Where a document or a bad record was found, for people. */
export interface Origin {
  /** Path as the user named it (relative to the working directory where possible), or `-` for stdin. */
  readonly file: string;
  /** 1-based line of the record, for formats with several records to a file. */
  readonly line?: number;
}

/** One input item, as a reader yields it. */
export interface Document {
  readonly id: string;
  /** Well-formed Unicode. One of white space alone has no chunks, and so no points. */
  readonly text: string;
  /** Where in `text` the document's own text begins; front matter stands before. Defaults to 0. */
  readonly bodyStart?: number;
  readonly title: string | null;
  readonly metadata: Metadata;
  readonly origin: Origin;
}

/** A piece of a document's text. `text === document.text.slice(start, end)`. */
export interface Chunk {
  /** 0-based position within the document. */
  readonly index: number;
  readonly text: string;
  /**
   * What is embedded instead of the text, with LF as its line ends: the text without its markup, below the header row of its
   * table where that is repeated. Absent where the text itself is embedded.
   */
  readonly embeddedText?: string;
  /** Offset of the first UTF-16 code unit within the document's text. */
  readonly start: number;
  /** Offset past the last UTF-16 code unit. */
  readonly end: number;
  /** The document's title and the headings above; see chunking/section-title.ts. */
  readonly title: string | null;
  /** Tokens that the model gets for it: special tokens and prefix included, and the title where that is embedded. */
  readonly tokens: number;
  /** Tokens of what is embedded of its text alone. */
  readonly textTokens: number;
  /** Tokens among these that stand for what is not in the model's vocabulary. */
  readonly unknownTokens: number;
}

/**
 * Kept with a document's first chunk: enough to know that the whole document is stored and unchanged without
 * tokenising it again. It proves itself: `digest` must equal the digest of the stored fingerprints of all chunks,
 * so it may be written before, after or without its neighbours.
 */
export interface DocumentMark {
  /** Hash of everything the chunks are made from: text, title, metadata. */
  readonly fingerprint: string;
  readonly chunkCount: number;
  /** Hash over (textHash, payloadHash) of the chunks in order. */
  readonly digest: string;
}

/** A chunk on its way to the store: everything a point holds but the vector. */
export interface ChunkRecord {
  /** UUID made from (pipeline, document id, chunk index). */
  readonly id: string;
  readonly pipeline: string;
  readonly documentId: string;
  readonly chunkIndex: number;
  readonly text: string;
  /** As that of a {@link Chunk}. */
  readonly embeddedText?: string;
  readonly start: number;
  readonly end: number;
  readonly title: string | null;
  readonly tokens: number;
  readonly metadata: Metadata;
  /** Hash of what the vector is made from: model prefix, and what is embedded. */
  readonly textHash: string;
  /** Hash of the rest of the payload: offsets, title, tokens, metadata, and the text where another is embedded. */
  readonly payloadHash: string;
  /** Present on a document's first chunk only. */
  readonly documentMark: DocumentMark | null;
}

/** A chunk or record given up on. Holds no more than an excerpt of the text. */
export interface DeadLetter {
  /** Stable within a run, so that recording it twice counts once. */
  readonly key: string;
  readonly stage: 'read' | 'chunk' | 'embed' | 'upsert';
  /** Groups dead letters by cause, e.g. `RECORD_INVALID`. */
  readonly code: string;
  readonly reason: string;
  readonly documentId: string | null;
  readonly chunkIndex: number | null;
  readonly origin: Origin | null;
  /** At most 200 characters of the text. */
  readonly excerpt: string | null;
  readonly attempts: number;
}
