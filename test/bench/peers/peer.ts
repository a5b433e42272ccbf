/** What a peer is told, and what its script in this folder exports. */
export interface PeerSettings {
  /** Id of a model as transformers.js takes it. */
  readonly model: string;
  /** Null: the default of the peer. */
  readonly dtype: 'q8' | null;
  readonly qdrantUrl: string;
}

export interface PeerScript {
  /** Resolves when the model is loaded. */
  readonly createPeer: (settings: PeerSettings) => Promise<Ingest>;
}

/** Embeds all texts and stores them in a new collection. */
export type Ingest = (texts: readonly string[], collection: string) => Promise<void>;

/** From the benchmark to the process of a peer. */
export interface PeerWork extends PeerSettings {
  /** File name of the script. */
  readonly script: string;
  /** Folder of models on this machine; null: the model is fetched from the hub. */
  readonly modelsDirectory: string | null;
  readonly texts: readonly string[];
  readonly collection: string;
}

/** From the process of a peer to the benchmark. */
export type PeerAnswer =
  { readonly seconds: number; readonly peakRssMiB: number } | { readonly failure: string };
