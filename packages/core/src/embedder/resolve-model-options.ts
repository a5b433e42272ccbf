import type { EngineName } from './engine/engine-name.ts';
import type { HubOptions } from './hub/hub-access.ts';

/** Which model is wanted, and where it may be. */
export interface ResolveModelOptions {
  /** A folder below `modelsDirectory`, a folder path (starting with `.` or `/`), or a hub id. */
  readonly id: string;
  readonly modelsDirectory: string;
  /** What is to compute its vectors. Defaults to onnxruntime; a static model takes none. */
  readonly engine?: EngineName | undefined;
  /** Which weights, in transformers.js names. Defaults to the first there is of q8, fp32; a static model has one only. */
  readonly dtype?: string | undefined;
  /** Commit of the hub repository, 40 hexadecimal digits. Without one nothing is fetched. */
  readonly revision?: string | undefined;
  /** What {@link ResolvedModel.filesHash} must be. */
  readonly sha256?: string | undefined;
  /** Fetch from the hub what is not here. Defaults to false. */
  readonly allowRemote?: boolean | undefined;
  /** Hub models are kept below `<dataDirectory>/hub`. */
  readonly dataDirectory: string;
  /** Where the hub is. Defaults to https://huggingface.co, without a token. */
  readonly hub?: HubOptions | undefined;
  /** Ends fetching. */
  readonly signal?: AbortSignal | undefined;
  /** Cut texts earlier than the model's own limit. */
  readonly maxTokens?: number | undefined;
}
