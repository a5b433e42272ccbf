/**
 * What producer, workers and Redis hold while a corpus goes by that is much larger than their memory: JSON lines that are
 * generated and streamed to the producer's standard input, embedded by workers that do not compute, into SQLite.
 *
 *   npm run bench:memory -- [GIGABYTES]               default 1: a million chunks in 6 minutes
 *   npm run bench:memory -- 10 --text-bytes 100       records whose text is a fiftieth of them, and a chunk each
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { renderTable } from '../../apps/producer/src/terminal/table.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { BenchSystem, type ProgressSample } from './system.ts';

const BYTES_PER_RECORD = 5_000;
const ROWS = 10;
const WORDS = 'river water stone bridge night winter letter harbour market garden window silver'.split(' ');

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'text-bytes': { type: 'string', default: String(BYTES_PER_RECORD) } },
});
const gigabytes = z.coerce
  .number()
  .positive()
  .parse(positionals[0] ?? 1);
const textBytes = z.coerce.number().int().min(100).max(BYTES_PER_RECORD).parse(values['text-bytes']);
const documents = Math.ceil((gigabytes * 1e9) / BYTES_PER_RECORD);

const system = await BenchSystem.start('sqlite');
try {
  await system.startPacedWorkers(2, 0);
  const before = await system.redisMiB();
  const samples: ProgressSample[] = [];
  const { chunks, seconds, producerPeakMiB, workerMiB } = await system.ingest(generate(), {
    stdin: true,
    ignored: { page: '.'.repeat(BYTES_PER_RECORD - textBytes) },
    onProgress: (sample) => void samples.push(sample),
  });
  const after = await system.redisMiB();
  const step = Math.max(1, Math.floor(samples.length / ROWS));
  process.stdout.write(
    `${renderTable(
      [
        { header: 'SECONDS', align: 'right' },
        { header: 'CHUNKS', align: 'right' },
        { header: 'PRODUCER MiB', align: 'right' },
        { header: 'REDIS MiB', align: 'right' },
      ],
      samples
        .filter((_, index) => index % step === step - 1)
        .map((sample) => [
          (sample.seconds - (samples[0]?.seconds ?? 0)).toFixed(0),
          sample.chunksDone.toLocaleString('en'),
          sample.producerMiB.toFixed(0),
          sample.redisMiB.toFixed(1),
        ]),
    )}\n\n`,
  );
  const mostRedis = Math.max(...samples.map(({ redisMiB }) => redisMiB));
  process.stdout.write(
    `${gigabytes} GB, ${chunks.toLocaleString('en')} chunks in ${seconds.toFixed(0)} s: producer at most ${producerPeakMiB.toFixed(0)} MiB, ` +
      `workers ${workerMiB.toFixed(0)}; Redis ${before.toFixed(1)} before, at most ${mostRedis.toFixed(1)}, ${after.toFixed(1)} after\n`,
  );
} finally {
  await system.close();
}

function* generate(): Generator<string> {
  const random = seededRandom(1);
  for (let document = 0; document < documents; document += 1) {
    const sentences: string[] = [`Document ${document}.`];
    for (let bytes = 0; bytes < textBytes;) {
      const words = Array.from({ length: 12 }, () => WORDS[Math.floor(random() * WORDS.length)] ?? '');
      const sentence = `${words.join(' ')} ${Math.floor(random() * 1e6)}.`;
      sentences.push(sentence);
      bytes += sentence.length + 1;
    }
    yield sentences.join(' ');
  }
}
