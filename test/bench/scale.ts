/**
 * Whether a chunk costs the same however many there are: one first load and three unchanged ingests of a million short
 * documents into SQLite, by workers that do not compute; rates within the run, from the first ten thousand on, when
 * everything has been compiled and opened. Of the three the least counts, stretch by stretch: neighbours on the machine
 * make a stretch dearer, never cheaper.
 *
 *   npm run bench:scale -- [CHUNKS]     default 1,000,000: about seven minutes
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { renderTable } from '../../apps/producer/src/terminal/table.ts';
import { numberedTexts } from './scaling.ts';
import { BenchSystem, type ProgressSample } from './system.ts';

const WORKERS = 2;
const READINGS = [
  { reading: 'first load', rounds: 1 },
  { reading: 'unchanged', rounds: 3 },
] as const;
/** Shares of the whole at which a stretch ends. */
const STRETCHES = [0.01, 0.1, 0.25, 0.5, 0.75, 1];

const { positionals } = parseArgs({ allowPositionals: true });
const chunks = z.coerce
  .number()
  .int()
  .min(10_000)
  .parse(positionals[0] ?? 1_000_000);
const texts = numberedTexts(chunks);
const system = await BenchSystem.start('sqlite');
try {
  await system.startPacedWorkers(WORKERS, 0);
  for (const { reading, rounds } of READINGS) {
    const measured: Stretch[][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const samples: ProgressSample[] = [];
      const { seconds, producerPeakMiB, workerMiB } = await system.ingest(texts, {
        collection: 'scale',
        onProgress: (sample) => void samples.push(sample),
      });
      const memory = `producer at most ${producerPeakMiB.toFixed(0)} MiB, workers ${workerMiB.toFixed(0)} MiB each`;
      process.stdout.write(`${reading}: ${chunks} chunks in ${seconds.toFixed(0)} s, ${memory}\n`);
      measured.push(stretchesOf(samples));
    }
    process.stdout.write(`${renderStretches(leastOf(measured))}\n\n`);
  }
} finally {
  await system.close();
}

interface Stretch {
  readonly name: string;
  readonly chunksPerSecond: number;
  /** Of producer, workers, Redis and store together. */
  readonly cpuMsPerChunk: number;
}

function stretchesOf(samples: readonly ProgressSample[]): Stretch[] {
  return STRETCHES.slice(1).map((end, index) => {
    const [from, to] = [(STRETCHES[index] ?? 0) * chunks, end * chunks];
    const [first, last] = [firstFrom(samples, from), firstFrom(samples, to)];
    const done = last.chunksDone - first.chunksDone;
    return {
      name: `${count(from)} to ${count(to)}`,
      chunksPerSecond: done / (last.seconds - first.seconds),
      cpuMsPerChunk: (last.cpuMs - first.cpuMs) / done,
    };
  });
}

function leastOf(rounds: readonly (readonly Stretch[])[]): Stretch[] {
  const [first = [], ...others] = rounds;
  return first.map((stretch, index) =>
    others
      .flatMap((round) => round[index] ?? [])
      .reduce((least, other) => (other.cpuMsPerChunk < least.cpuMsPerChunk ? other : least), stretch),
  );
}

function renderStretches(stretches: readonly Stretch[]): string {
  const [reference] = stretches;
  return renderTable(
    [
      { header: 'CHUNKS' },
      { header: 'CHUNKS/S', align: 'right' },
      { header: 'CPU MS PER CHUNK', align: 'right' },
      { header: 'OF THE FIRST', align: 'right' },
    ],
    stretches.map(({ name, chunksPerSecond, cpuMsPerChunk }) => [
      name,
      count(chunksPerSecond),
      cpuMsPerChunk.toFixed(3),
      (cpuMsPerChunk / (reference?.cpuMsPerChunk ?? NaN)).toFixed(2),
    ]),
  );
}

function firstFrom(samples: readonly ProgressSample[], chunksDone: number): ProgressSample {
  const found = samples.find((sample) => sample.chunksDone >= chunksDone) ?? samples.at(-1);
  if (found === undefined) throw new Error('The ingest ended before it could be watched.');
  return found;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}
