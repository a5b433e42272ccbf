/** What computes the vectors of a transformer: the project's own kernel, or onnxruntime for every model. */
export const ENGINE_NAMES = ['kernel', 'onnxruntime'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** What a user may ask for; `auto` keeps to the engine of the collection. */
export const ENGINE_CHOICES = ['auto', ...ENGINE_NAMES] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];
