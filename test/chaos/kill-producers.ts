import { setTimeout as delay } from 'node:timers/promises';
import type { FedIngest } from './feed.ts';

export interface KillProducersOptions {
  readonly times: number;
  readonly start: () => FedIngest;
  /** Resolves when another batch is counted. */
  readonly untilProgress: () => Promise<unknown>;
  /** 0 to 1. */
  readonly random: () => number;
}

const LONGEST_LIFE_MS = 1_500;

/**
 * The producer dies at any byte of its work, and is started again.
 * @returns the longest time until the work went on, in milliseconds
 * @throws Error when one ends by itself: then nothing was killed
 */
export async function killProducers(options: KillProducersOptions): Promise<number> {
  let longestMs = 0;
  for (let round = 0; round < options.times; round += 1) {
    const ingest = options.start();
    const startedAtMs = performance.now();
    await Promise.race([options.untilProgress(), failIfEnded(ingest)]);
    if (round > 0) longestMs = Math.max(longestMs, performance.now() - startedAtMs);
    await Promise.race([delay(options.random() * LONGEST_LIFE_MS), failIfEnded(ingest)]);
    ingest.process.kill('SIGKILL');
    await ingest.exited;
    if (ingest.process.signalCode !== 'SIGKILL') await failIfEnded(ingest);
  }
  return longestMs;
}

export async function failIfEnded(ingest: FedIngest): Promise<never> {
  const code = await ingest.exited;
  throw new Error(`The ingest ended early, with ${String(code)}:\n${ingest.output()}`);
}
