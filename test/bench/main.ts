/**
 * What embedline does with the hardware, beside what the hardware could do and what a user would otherwise write, in one
 * run on one machine, so that ratios hold where timings do not. Takes 14 minutes on two cores:
 *
 *   npm run bench                     all parts
 *   npm run bench -- --part queue     one of: end-to-end, workers, paced, queue, producer
 *   npm run bench -- --rounds 1       fewer rounds of the interleaved part
 *   npm run bench -- --no-peers       without transformers.js and LangChain.js, which have to be installed first
 *
 * Prints tables, and writes the same as JSON to test/bench/results/.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DEFAULT_MODEL_ID, messageOf, resolveModel } from '@embedline/core';
import { z } from 'zod';
import { benchCorpora } from './corpora.ts';
import { describeCpu } from './cpu.ts';
import { measureEndToEnd } from './end-to-end.ts';
import { preparePeers, type PeerModels } from './peers/prepare-peers.ts';
import { measureProducer } from './producer.ts';
import { measureQueuePath } from './queue-path.ts';
import { renderResults, type BenchResults } from './results.ts';
import { measurePacedWorkers, measureWorkerProcesses } from './scaling.ts';

const PARTS = ['end-to-end', 'workers', 'paced', 'queue', 'producer'] as const;

const { values } = parseArgs({
  options: {
    part: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '3' },
    'no-peers': { type: 'boolean', default: false },
  },
});
const { part: parts, rounds } = z
  .object({ part: z.array(z.enum(PARTS)).default([...PARTS]), rounds: z.coerce.number().int().min(1) })
  .parse(values);

const tell = (text: string) => void process.stderr.write(`${text}\n`);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const model = await resolveModel({
  id: DEFAULT_MODEL_ID,
  modelsDirectory: `${ROOT}models`,
  dataDirectory: ROOT,
});
const corpora = await benchCorpora();
const startedAt = performance.now();

const results: BenchResults = {
  date: new Date().toISOString(),
  command: ['npm run bench', ...process.argv.slice(2)].join(' '),
  machine: {
    cpu: await describeCpu(),
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
  },
  ...(await when('end-to-end', async () => ({
    endToEnd: await measureEndToEnd({
      corpora,
      model,
      peers: await peerModels(),
      rounds,
      texts: { long: 640, short: 8_000 },
      peerTexts: { long: 96, short: 768 },
      processes: availableParallelism(),
      tell,
    }),
  }))),
  ...(await when('workers', async () => ({
    workers: await measureWorkerProcesses([1, 2, 4], corpora.short.slice(0, 8_000)),
  }))),
  ...(await when('paced', async () => ({
    paced: await measurePacedWorkers([1, 2, 4, 8, 16], { msPerText: 4, textsPerWorker: 3_072 }),
  }))),
  ...(await when('queue', async () => ({
    queue: {
      workers: 2,
      chunksPerSecond: await measureQueuePath({ workers: 2, chunks: 300_000, model: model.spec }),
    },
  }))),
  ...(await when('producer', async () => ({
    producer: [
      ...(await measureProducer({ store: 'sqlite', texts: 'long', chunks: 20_000 })),
      ...(await measureProducer({ store: 'sqlite', texts: 'short', chunks: 60_000 })),
      ...(await measureProducer({ store: 'qdrant', texts: 'long', chunks: 20_000 })),
      ...(await measureProducer({ store: 'qdrant', texts: 'short', chunks: 60_000 })),
    ],
  }))),
  seconds: Math.round((performance.now() - startedAt) / 1000),
};

const directory = `${ROOT}test/bench/results`;
await mkdir(directory, { recursive: true });
const file = `${directory}/${results.date.slice(0, 19).replaceAll(':', '-')}.json`;
await writeFile(file, `${JSON.stringify(results, null, 2)}\n`);
process.stdout.write(`${renderResults(results)}\n`);
tell(`written to ${file.slice(ROOT.length)}`);

async function when<T extends object>(part: (typeof PARTS)[number], measure: () => Promise<T>) {
  if (!parts.includes(part)) return {};
  tell(part);
  return measure();
}

/** Without them the rest is still worth measuring. */
async function peerModels(): Promise<PeerModels | null> {
  if (values['no-peers']) return null;
  try {
    return await preparePeers();
  } catch (error) {
    tell(`without peers: ${messageOf(error)}`);
    return null;
  }
}
