/** What the files of a model say of how it is used. */
export interface ModelDescription {
  readonly dtype: string;
  /** On this machine. */
  readonly weightsFile: string;
  readonly pooling: 'mean' | 'cls';
  readonly dimensions: number;
  /** Longest input in tokens, special tokens included. */
  readonly ownLimit: number;
  readonly passagePrefix: string;
  readonly queryPrefix: string;
  /** For people: what may not be as they expect. */
  readonly warnings: readonly string[];
}
