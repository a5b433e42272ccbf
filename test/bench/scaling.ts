import type { BenchCorpora } from './corpora.ts';
import { BenchSystem } from './system.ts';

/** What a number of workers does together. */
export interface Scaling {
  readonly workers: number;
  readonly chunksPerSecond: number;
  /** Of what the first number of workers does. */
  readonly ratio: number;
}

/** Worker processes with the model, one inference process each: beyond the cores they add nothing, and must cost nothing. */
export async function measureWorkerProcesses(
  counts: readonly number[],
  texts: BenchCorpora['short'],
): Promise<Scaling[]> {
  const systems = await Promise.all(counts.map(() => BenchSystem.start('sqlite')));
  try {
    const rates: number[] = [];
    for (const [index, system] of systems.entries()) {
      await system.startWorkers(counts[index] ?? 1);
      rates.push(await rateOf(system, texts));
      await system.stopWorkers();
    }
    return ratios(counts, rates);
  } finally {
    for (const system of systems) await system.close();
  }
}

/**
 * Workers that take a fixed time for each text without computing, one text after the other: what is missing to a ratio
 * of their number is what queue, store and bookkeeping cost, once the cores are not enough for it.
 */
export async function measurePacedWorkers(
  counts: readonly number[],
  { msPerText, textsPerWorker }: { readonly msPerText: number; readonly textsPerWorker: number },
): Promise<Scaling[]> {
  const system = await BenchSystem.start('sqlite');
  try {
    const rates: number[] = [];
    for (const count of counts) {
      await system.startPacedWorkers(count, msPerText);
      rates.push(await rateOf(system, numberedTexts(textsPerWorker * count)));
      await system.stopWorkers();
    }
    return ratios(counts, rates);
  } finally {
    await system.close();
  }
}

async function rateOf(system: BenchSystem, texts: readonly string[]): Promise<number> {
  const { chunks, seconds } = await system.ingest(texts);
  return chunks / seconds;
}

function ratios(counts: readonly number[], rates: readonly number[]): Scaling[] {
  return counts.map((workers, index) => {
    const chunksPerSecond = rates[index] ?? NaN;
    return { workers, chunksPerSecond, ratio: chunksPerSecond / (rates[0] ?? NaN) };
  });
}

export function numberedTexts(count: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `Text ${index} of the benchmark, as long as a short sentence is.`,
  );
}
