/** Has transformers.js, which this folder installs for itself, look for models on this machine only. */
import { env } from '@huggingface/transformers';

/** @param {string} modelsDirectory */
export function useLocalModels(modelsDirectory) {
  env.allowRemoteModels = false;
  env.localModelPath = modelsDirectory;
}
