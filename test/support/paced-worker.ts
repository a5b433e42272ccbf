/**
 * A worker like any other, but for its model: vectors are made from a hash, and each text takes a set time. For what is
 * to be seen of queue, store and faults, and not of inference.
 *
 *   PACED_MS_PER_TEXT   milliseconds per text, default 0
 *   PACED_LOG           a file that gets a line with the number of texts for each call
 *   PACED_LOCK_MS       default 30,000
 *   PACED_CONCURRENCY   default 1
 *
 * A text with the word POISON cannot be embedded. SIGUSR2 blocks the event loop for three locks.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createLogger,
  EmbedlineError,
  listenForStop,
  loadConfig,
  resolveModel,
  type createEmbedder,
} from '@embedline/core';
import { runWorker } from '../../apps/worker/src/worker-program.ts';
import { fakeVector } from './fake-embedder.ts';

const setting = (name: string, fallback: number) => Number(process.env[name] ?? fallback);
const [msPerText, lockDurationMs] = [setting('PACED_MS_PER_TEXT', 0), setting('PACED_LOCK_MS', 30_000)];
const log = process.env['PACED_LOG'];

process.on('SIGUSR2', () => {
  const untilMs = Date.now() + 3 * lockDurationMs;
  while (Date.now() < untilMs);
});

const openEmbedder: typeof createEmbedder = async (wanted) => {
  const { spec } = 'spec' in wanted ? wanted : await resolveModel(wanted);
  return {
    model: spec,
    embed: async (texts, { signal } = {}) => {
      if (log !== undefined) appendFileSync(log, `${texts.length}\n`);
      if (msPerText > 0)
        await delay(texts.length * msPerText, undefined, signal === undefined ? {} : { signal });
      if (texts.some((text) => text.includes('POISON')))
        throw new EmbedlineError('EMBEDDING_FAILED', 'The model failed on a batch of texts: POISON.');
      return {
        vectors: texts.map((text) => fakeVector(spec, text)),
        tokens: texts.map((text) => text.length),
      };
    },
    close: async () => undefined,
  };
};

const config = loadConfig();
using stop = listenForStop(() => process.exit(130));
await runWorker({
  config,
  logger: createLogger({ name: 'paced-worker', level: config.logLevel }),
  concurrency: setting('PACED_CONCURRENCY', 1),
  graceMs: 2_000,
  lockDurationMs,
  stop: stop.signal,
  openEmbedder,
});
