import type { PipelineInput } from './definition.ts';

/** What an `embedline.config.ts` exports. */
export interface EmbedlineConfig {
  /** By name. */
  readonly pipelines: Readonly<Record<string, PipelineInput>>;
}

/** Returns its argument: it is there so that an editor knows the keys. */
export function defineConfig(config: EmbedlineConfig): EmbedlineConfig {
  return config;
}
