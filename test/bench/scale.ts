/**
 * Whether a chunk costs the same however many there are: one first load and one unchanged ingest of a million short
 * documents into SQLite, by workers that do not compute; rates within the run, from the first ten thousand on, when
 * everything has been compiled and opened.
 *
 *   npm run bench:scale -- [CHUNKS]     default 1,000,000: about five minutes
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { renderTable } from '../../apps/producer/src/terminal/table.ts';
import { numberedTexts } from './scaling.ts';
import { BenchSystem, type ProgressSample } from './system.ts';

const WORKERS = 2;
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
  const readings = ['first load', 'unchanged'] as const;
  for (const reading of readings) {
    const samples: ProgressSample[] = [];
    const { seconds, producerPeakMiB, workerMiB } = await system.ingest(texts, {
      collection: 'scale',
      onProgress: (sample) => void samples.push(sample),
    });
    const memory = `producer at most ${producerPeakMiB.toFixed(0)} MiB, workers ${workerMiB.toFixed(0)} MiB each`;
    process.stdout.write(`${reading}: ${chunks} chunks in ${seconds.toFixed(0)} s, ${memory}\n`);
    process.stdout.write(`${renderStretches(samples)}\n\n`);
  }
} finally {
  await system.close();
}

function renderStretches(samples: readonly ProgressSample[]): string {
  const rows = STRETCHES.slice(1).map((end, index) => {
    const [from, to] = [(STRETCHES[index] ?? 0) * chunks, end * chunks];
    const [first, last] = [firstFrom(samples, from), firstFrom(samples, to)];
    const done = last.chunksDone - first.chunksDone;
    return {
      stretch: `${count(first.chunksDone)} to ${count(last.chunksDone)}`,
      rate: done / (last.seconds - first.seconds),
      cpuMs: (last.cpuMs - first.cpuMs) / done,
    };
  });
  const [reference] = rows;
  return renderTable(
    [
      { header: 'CHUNKS' },
      { header: 'CHUNKS/S', align: 'right' },
      { header: 'CPU MS PER CHUNK', align: 'right' },
      { header: 'OF THE FIRST', align: 'right' },
    ],
    rows.map(({ stretch, rate, cpuMs }) => [
      stretch,
      count(rate),
      cpuMs.toFixed(3),
      (cpuMs / (reference?.cpuMs ?? NaN)).toFixed(2),
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
