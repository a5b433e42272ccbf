import { engineSettings, type EngineWishes } from '../engine/engine-settings.ts';
import type { ResolvedModel } from '../resolve-model.ts';
import { USUAL_MICRO_BATCH_TOKENS, type InferenceTuning } from './inference-tuning.ts';
import { machineLimits, type MachineLimits } from './machine-limits.ts';
import { measureInference, processesByEstimate } from './measure-inference.ts';
import { TuningCache } from './tuning-cache.ts';

export interface ChooseTuningOptions {
  /** Where measurements are kept. */
  readonly dataDirectory: string;
  /** Measure if that was never done on this machine with this model; takes up to ten seconds. */
  readonly measure: boolean;
  /** Told before it measures. */
  readonly onMeasuring?: (() => void) | undefined;
  /** Of the kernel; see engine-settings.ts. */
  readonly instructionSet?: EngineWishes['instructionSet'];
  /** Defaults to those of this process. */
  readonly limits?: MachineLimits;
}

export interface ChosenTuning extends InferenceTuning {
  readonly source: 'measured' | 'measured before' | 'usual';
}

/** How a model is to be run here, as far as nobody says it. Never more processes than fit into the memory. */
export async function chooseTuning(
  model: ResolvedModel,
  { dataDirectory, measure, onMeasuring, instructionSet, limits = machineLimits() }: ChooseTuningOptions,
): Promise<ChosenTuning> {
  const cache = new TuningCache(dataDirectory);
  const engine = engineSettings(model.spec, { instructionSet });
  const machine = engine.name === 'kernel' ? { ...limits, instructionSet: engine.instructionSet } : limits;
  const known = await cache.get(model.spec, machine);
  if (known !== null) return { ...known, source: 'measured before' };
  if (!measure) {
    const processes = await processesByEstimate(model, limits);
    const microBatchTokens = USUAL_MICRO_BATCH_TOKENS;
    return { processes, threadsPerProcess: 1, microBatchTokens, source: 'usual' };
  }
  onMeasuring?.();
  const measured = await measureInference(model, limits, engine);
  await cache.set(model.spec, machine, measured);
  return { ...measured, source: 'measured' };
}
