import { stat } from 'node:fs/promises';
import { Releasers } from '../../lifecycle.ts';
import { isBatchInvariant } from '../batch-invariance.ts';
import { InferenceChild } from '../inference-child.ts';
import type { EngineSettings } from '../engine/engine-settings.ts';
import type { ResolvedModel } from '../resolve-model.ts';
import { loadTokenizer } from '../tokenizer.ts';
import type { InferenceTuning } from './inference-tuning.ts';
import { processesThatFit, type MachineLimits } from './machine-limits.ts';
import { searchTuning } from './search-tuning.ts';

const BUDGET_MS = 8_000;
const MEASURE_MS = 300;
/** A short and a long text, half of the work each. */
const SHORT_TOKENS = 16;
const LONG_TOKENS = 200;
const MIB = 1024 * 1024;

/** Measures for eight seconds at most (longer only if one micro-batch takes longer) how a model runs fastest here. */
export async function measureInference(
  model: ResolvedModel,
  limits: MachineLimits,
  engine: EngineSettings,
): Promise<InferenceTuning> {
  await using releasers = new Releasers();
  const overAt = performance.now() + BUDGET_MS;
  const start = async (threads: number, processes: number) => {
    const { weightsFile, spec } = model;
    const { dimensions, pooling } = spec;
    const settings = { weightsFile, dimensions, pooling, engine: withThreads(engine, threads) };
    const children = Array.from({ length: processes }, () => releasers.own(new InferenceChild(settings)));
    await Promise.all(children.map((child) => child.ready));
    return children;
  };
  const encode = await sampleTexts(model);
  const [first] = await start(1, 1);
  if (first === undefined) throw new Error('No process was started. This is a bug in embedline.');
  const started = new Map([['1x1', [first]]]);
  const batchInvariant = await isBatchInvariant({
    encode: () => encode(SHORT_TOKENS),
    run: (texts) => first.embed(texts),
    dimensions: model.spec.dimensions,
  });
  return await searchTuning({
    cores: limits.cores,
    maxThreadsPerProcess: engine.name === 'kernel' ? 1 : Infinity,
    maxProcesses: processesThatFit(limits, first.residentBytes + 50 * MIB),
    batchInvariant,
    isOver: () => performance.now() > overAt,
    measure: async ({ processes, threadsPerProcess, microBatchTokens }) => {
      const key = `${processes}x${threadsPerProcess}`;
      const children = started.get(key) ?? (await start(threadsPerProcess, processes));
      started.set(key, children);
      const batches = [SHORT_TOKENS, LONG_TOKENS].map((length) => batchOf(encode(length), microBatchTokens));
      const rates = await Promise.all(children.map((child) => tokensPerSecond(child, batches)));
      return rates.reduce((sum, rate) => sum + rate, 0);
    },
  });
}

function withThreads(engine: EngineSettings, threads: number): EngineSettings {
  return engine.name === 'onnxruntime' ? { ...engine, threads } : engine;
}

/** An estimate for a model that has not been measured: the weights are there once as a file and once or twice prepared. */
export async function processesByEstimate(
  { weightsFile }: ResolvedModel,
  limits: MachineLimits,
): Promise<number> {
  const { size } = await stat(weightsFile);
  return Math.min(limits.cores, processesThatFit(limits, 150 * MIB + 3 * size));
}

async function tokensPerSecond(
  child: InferenceChild,
  batches: readonly (readonly number[])[][],
): Promise<number> {
  const startedAt = performance.now();
  let tokens = 0;
  do {
    for (const batch of batches) {
      await child.embed(batch);
      tokens += batch.length * (batch[0]?.length ?? 0);
    }
  } while (performance.now() - startedAt < MEASURE_MS);
  return tokens / ((performance.now() - startedAt) / 1000);
}

function batchOf(ids: readonly number[], tokens: number): (readonly number[])[] {
  return Array.from({ length: Math.max(1, Math.floor(tokens / ids.length)) }, () => ids);
}

/** Token ids that the model knows, of any length up to its longest input. */
async function sampleTexts({
  directory,
  spec,
}: ResolvedModel): Promise<(length: number) => readonly number[]> {
  const tokenizer = await loadTokenizer(directory);
  const { ids } = tokenizer.encode(
    'The river rose in the night, and by morning the bridge was gone. '.repeat(20),
    256,
  );
  return (length) =>
    Array.from({ length: Math.min(length, spec.maxTokens) }, (_, index) => ids[index % ids.length] ?? 0);
}
