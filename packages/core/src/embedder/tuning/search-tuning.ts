import { USUAL_MICRO_BATCH_TOKENS, type InferenceTuning } from './inference-tuning.ts';

export interface TuningSearch {
  readonly cores: number;
  /** Processes that fit into the memory. */
  readonly maxProcesses: number;
  /** Threads that a process can use. */
  readonly maxThreadsPerProcess: number;
  /** False when texts must go through the network one at a time. */
  readonly batchInvariant: boolean;
  /**
   * Measures once, for a second at most or for one micro-batch.
   * @returns tokens per second of all processes together
   */
  measure(tuning: InferenceTuning): Promise<number>;
  /** True when there is no time for another measurement. */
  isOver(): boolean;
}

const MICRO_BATCH_CANDIDATES = [USUAL_MICRO_BATCH_TOKENS, 256, 1024, 2048] as const;
/** Measured in turn, so that what else the machine does meets all alike; the best of each counts. */
const ROUNDS = 3;
/** What is usual stays unless something is faster by more than the noise of a busy machine. */
const NOISE = 1.05;

/**
 * Finds the fastest way to run a model within a time: first how many tokens go through the network together, by one
 * process; then how the cores are shared out. When the time is over, the best of what was measured is taken.
 */
export async function searchTuning(search: TuningSearch): Promise<InferenceTuning> {
  const alone = { processes: 1, threadsPerProcess: 1 };
  const sizes = MICRO_BATCH_CANDIDATES.map((microBatchTokens) => ({ ...alone, microBatchTokens }));
  const { microBatchTokens } = search.batchInvariant
    ? await fastest(sizes, ROUNDS, search)
    : { microBatchTokens: USUAL_MICRO_BATCH_TOKENS };
  const layouts = layoutsOf(search).map((layout) => ({ ...layout, microBatchTokens }));
  return layouts.length === 1 ? firstOf(layouts) : fastest(layouts, 1, search);
}

/** One thread to a process as far as memory goes; and half as many processes with twice the threads, where they can have them. */
function layoutsOf({
  cores,
  maxProcesses,
  maxThreadsPerProcess,
}: TuningSearch): Omit<InferenceTuning, 'microBatchTokens'>[] {
  const most = Math.min(cores, maxProcesses);
  const fewest = maxThreadsPerProcess > 1 ? Math.ceil(most / 2) : most;
  const counts = [...new Set([most, fewest])];
  return counts.map((processes) => ({
    processes,
    threadsPerProcess: Math.max(1, Math.min(maxThreadsPerProcess, Math.floor(cores / processes))),
  }));
}

/** The first candidate is the usual one. */
async function fastest(
  candidates: readonly InferenceTuning[],
  rounds: number,
  search: TuningSearch,
): Promise<InferenceTuning> {
  const best = new Map<InferenceTuning, number>();
  for (let round = 0; round < rounds; round += 1) {
    for (const candidate of candidates) {
      if (search.isOver()) break;
      best.set(candidate, Math.max(best.get(candidate) ?? 0, await search.measure(candidate)));
    }
  }
  const usual = firstOf(candidates);
  const winner = candidates.reduce((a, b) => ((best.get(b) ?? 0) > (best.get(a) ?? 0) ? b : a), usual);
  return (best.get(winner) ?? 0) > (best.get(usual) ?? 0) * NOISE ? winner : usual;
}

function firstOf<T>(candidates: readonly T[]): T {
  const [first] = candidates;
  if (first === undefined) throw new Error('There is nothing to choose from. This is a bug in embedline.');
  return first;
}
