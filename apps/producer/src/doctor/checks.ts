import type { Check } from './check.ts';
import { configuration } from './configuration.ts';
import { disk } from './disk.ts';
import { foreignRuns } from './foreign-runs.ts';
import { model } from './model.ts';
import { redis } from './redis.ts';
import { runtime } from './runtime.ts';
import { runs } from './runs.ts';
import { schedules } from './schedules.ts';
import { state } from './state.ts';
import { texts } from './texts.ts';
import { transport } from './transport.ts';
import { vectorStore } from './vector-store.ts';
import { workers } from './workers.ts';

/** Everything that `embedline doctor` looks at, in the order in which it is shown. */
export const CHECKS: readonly Check[] = [
  runtime,
  configuration,
  state,
  disk,
  redis,
  workers,
  runs,
  vectorStore,
  foreignRuns,
  transport,
  model,
  texts,
  schedules,
];
