/** What finding chunks takes: a configuration, a vector store and a model; no Redis. */
export { environmentVariables, loadConfig, type Config } from './config.ts';
export { describeEngine, engineOf } from './embedder/engine/engine-identity.ts';
export { createEmbedder, type EmbedderOptions } from './embedder/create.ts';
export { findModelPlace, rememberModelPlace } from './embedder/model-places.ts';
export { resolveModel, sameModel } from './embedder/resolve-model.ts';
export { openVectorStore } from './vector-store/create.ts';
export { parseFilters } from './vector-store/filter/parse-filter.ts';
export { whereEqual, whereHas } from './vector-store/filter/search-filter.ts';
