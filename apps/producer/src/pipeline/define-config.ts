import type { PipelineInput } from './definition.ts';
import type { FailureHookInput } from './failure-hook.ts';

/** What an `embedline.config.ts` exports. */
export interface EmbedlineConfig {
  /** By name. */
  readonly pipelines: Readonly<Record<string, PipelineInput>>;
  /** Who is told when an ingest by schedule or --detach fails, where the schedule of its pipeline does not say. */
  readonly onFailure?: FailureHookInput | null;
}

/** Returns its argument: it is there so that an editor knows the keys. */
export function defineConfig(config: EmbedlineConfig): EmbedlineConfig {
  return config;
}
