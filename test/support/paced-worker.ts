/**
 * A worker like any other, but for its model: vectors are made from a hash, and each text takes a set time. Its inference
 * process is a real one that only pretends. For what is to be seen of queue, store and faults, and not of inference.
 *
 *   PACED_MS_PER_TEXT   milliseconds per text, one after the other, default 0
 *   PACED_LOG           a file that gets a line with the number of texts and the model for each call
 *   PACED_LOCK_MS       default 30,000
 *   PACED_CONCURRENCY   default 1
 *
 * A text with the word POISON cannot be embedded, one with the word KILLER kills the inference process. Over a channel
 * to its parent it can be told to misbehave: see {@link Mischief}.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger, listenForStop, loadConfig, resolveModel, type createEmbedder } from '@embedline/core';
import { runWorker } from '../../apps/worker/src/worker-program.ts';
import { InferenceChild } from '../../packages/core/src/embedder/inference-child.ts';
import { InferencePool } from '../../packages/core/src/embedder/inference-pool.ts';
import { fakeVector } from './fake-embedder.ts';
import { DEADLY, DIMENSIONS, FAILING } from './fake-inference.ts';

/** What goes wrong in a worker: its event loop is blocked for three locks; its inference process dies of a signal. */
export type Mischief = 'block' | 'SIGKILL' | 'SIGABRT';

const INFERENCE = new URL('./fake-inference.ts', import.meta.url);

const setting = (name: string, fallback: number) => Number(process.env[name] ?? fallback);
const [msPerText, lockDurationMs] = [setting('PACED_MS_PER_TEXT', 0), setting('PACED_LOCK_MS', 30_000)];
const log = process.env['PACED_LOG'];

const pools = new Set<InferencePool>();
let before: Promise<void> = Promise.resolve();

process.on('message', (mischief: Mischief) => {
  const untilMs = Date.now() + 3 * lockDurationMs;
  if (mischief === 'block') while (Date.now() < untilMs);
  else
    for (const pool of pools)
      for (const { pid } of pool.children) if (pid !== undefined) process.kill(pid, mischief);
});
process.channel?.unref();

const openEmbedder: typeof createEmbedder = async (wanted) => {
  const { spec } = 'spec' in wanted ? wanted : await resolveModel(wanted);
  const inference = new InferencePool({
    settings: {
      weightsFile: '',
      dimensions: DIMENSIONS,
      pooling: 'mean',
      engine: { name: 'onnxruntime', threads: 1 },
    },
    processes: 1,
    microBatchTokens: 512,
    modelId: spec.id,
    startChild: (settings) => new InferenceChild(settings, INFERENCE),
  });
  pools.add(inference);
  return {
    model: spec,
    embed: async (texts, { signal } = {}) => {
      if (log !== undefined) appendFileSync(log, `${texts.length} ${spec.id}\n`);
      if (msPerText > 0) await takeTime(texts.length * msPerText, signal);
      await inference.embed(texts.map(pretendedTokens), signal);
      return {
        vectors: texts.map((text) => fakeVector(spec, text)),
        tokens: texts.map((text) => text.length),
      };
    },
    countTokens: (text) => text.length,
    close: () => {
      pools.delete(inference);
      return inference.close();
    },
  };
};

/** One call after the other, as for a core. */
async function takeTime(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  const passed = before.then(() => delay(milliseconds, undefined, signal === undefined ? {} : { signal }));
  before = passed.catch(() => undefined);
  await passed;
}

function pretendedTokens(text: string): number[] {
  return [text.includes('POISON') ? FAILING : text.includes('KILLER') ? DEADLY : 1];
}

const config = loadConfig();
using stop = listenForStop({ onSecond: () => process.exit(130) });
await runWorker({
  config,
  logger: createLogger({ name: 'paced-worker', level: config.logLevel }),
  inference: { processes: setting('PACED_CONCURRENCY', 1) },
  graceMs: 2_000,
  lockDurationMs,
  stop: stop.signal,
  openEmbedder,
});
process.exit(0);
