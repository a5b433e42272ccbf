/**
 * How fast the stores write and read, and whether that stays so as they grow: `node test/bench/stores.ts [POINTS...]`,
 * 10,000, 100,000 and 1,000,000 by default (two minutes). SQLite on a disk; Qdrant with QDRANT_TEST_URL alone, where it
 * is up to the server, else against the double, where only the client's own processor time means something.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Generation, GenerationPoints, Point, VectorStore } from '@embedline/core';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { BENCH_MANIFEST, benchPoints } from './bench-points.ts';

/** Where the points of a benchmark go. */
export type StoreAddress = { readonly directory: string } | { readonly qdrantUrl: string };

/** Figures of one store at one size; rates are points a second. */
export interface StoreFigures {
  readonly points: number;
  readonly upsert: number;
  /** Of four processes together. */
  readonly upsertByFour: number;
  /** The longest that one of those four waited for a batch of 256. */
  readonly worstBatchMs: number;
  /** Processor time of this process for one point, microseconds. */
  readonly upsertCpuMicros: number;
  readonly fingerprints: number;
  readonly findByTextHash: number;
  readonly retrieve: number;
  readonly scan: number;
  /** Of the store's files, or null where they cannot be seen. */
  readonly fileMiB: number | null;
  readonly logMiB: number | null;
}

const BATCH = 256;
const MEASURED = 40 * BATCH;
const WRITERS = 4;

/** Fills a new store to each of the sizes in turn, and measures there. */
export async function benchStore(address: StoreAddress, sizes: readonly number[]): Promise<StoreFigures[]> {
  const store = await openStore(address);
  const generation = await store.createGeneration('bench', BENCH_MANIFEST);
  const points = await store.open(generation);
  const figures: StoreFigures[] = [];
  let written = 0;
  for (const size of sizes) {
    for (; written < size - MEASURED; written += BATCH) await write(points, benchPoints(written, BATCH));
    const alone = await measureUpserts(points, benchPoints(written, MEASURED));
    written += MEASURED;
    const together = await upsertByFour(address, generation, written);
    written += MEASURED;
    const reads = await measureReads(points, written);
    figures.push({
      points: written,
      ...alone,
      ...together,
      ...reads,
      ...(await fileSizes(address, generation)),
    });
  }
  await points.close();
  await store.dropGeneration(generation);
  await store.close();
  return figures;
}

function openStore(address: StoreAddress): Promise<VectorStore> {
  return 'directory' in address ? openSqliteStore(address) : openQdrantStore({ url: address.qdrantUrl });
}

async function write(points: GenerationPoints, batch: readonly Point[]): Promise<void> {
  await points.upsert(batch, { runSequence: 1 });
}

async function measureUpserts(points: GenerationPoints, some: readonly Point[]) {
  const before = process.cpuUsage();
  const seconds = await secondsOf(() => writeAll(points, some));
  const { user, system } = process.cpuUsage(before);
  return { upsert: some.length / seconds, upsertCpuMicros: (user + system) / some.length };
}

/** @returns the longest that a batch took, in seconds */
async function writeAll(points: GenerationPoints, some: readonly Point[]): Promise<number> {
  let worst = 0;
  for (let start = 0; start < some.length; start += BATCH) {
    const batch = some.slice(start, start + BATCH);
    worst = Math.max(worst, await secondsOf(() => write(points, batch)));
  }
  return worst;
}

async function upsertByFour(address: StoreAddress, generation: Generation, from: number) {
  const each = MEASURED / WRITERS;
  const writers = Array.from({ length: WRITERS }, (_, index) =>
    fork(fileURLToPath(import.meta.url), [
      'writer',
      JSON.stringify({ address, generation, from: from + index * each, count: each }),
    ]),
  );
  try {
    await Promise.all(writers.map((writer) => once(writer, 'message')));
    let worsts: number[] = [];
    const seconds = await secondsOf(async () => {
      worsts = await Promise.all(writers.map(worstOf));
    });
    return { upsertByFour: MEASURED / seconds, worstBatchMs: Math.max(...worsts) * 1000 };
  } finally {
    for (const writer of writers) writer.kill();
  }
}

async function worstOf(writer: ChildProcess): Promise<number> {
  writer.send('go');
  const [worst] = (await once(writer, 'message')) as [number];
  return worst;
}

interface WriterTask {
  readonly address: StoreAddress;
  readonly generation: Generation;
  readonly from: number;
  readonly count: number;
}

/** One of the four: makes its points, says that it has them, writes when it is told to, says how long the worst took. */
async function runWriter({ address, generation, from, count }: WriterTask): Promise<void> {
  const store = await openStore(address);
  const points = await store.open(generation);
  const some = benchPoints(from, count);
  process.send?.('ready');
  await once(process, 'message');
  process.send?.(await writeAll(points, some));
}

async function measureReads(points: GenerationPoints, written: number) {
  const rounds = 10;
  // Spread over the whole store, as the documents of an edited corpus are.
  const asked = Array.from({ length: rounds }, (_, round) =>
    Array.from({ length: 1000 }, (_empty, index) => {
      const [point] = benchPoints(Math.floor(((index * rounds + round) * written) / (1000 * rounds)), 1);
      return point as Point;
    }),
  );
  const rate = async (read: (some: readonly Point[]) => Promise<ReadonlyMap<string, unknown>>) => {
    const seconds = await secondsOf(async () => {
      for (const some of asked) {
        const { size } = await read(some);
        if (size !== some.length) throw new Error(`${size} of ${some.length} points were found`);
      }
    });
    return (rounds * 1000) / seconds;
  };
  const ids = (some: readonly Point[]) => some.map(({ chunk }) => chunk.id);
  return {
    fingerprints: await rate((some) => points.fingerprints(ids(some))),
    findByTextHash: await rate((some) => points.findByTextHash(some.map(({ chunk }) => chunk.textHash))),
    retrieve: await rate((some) => points.retrieve(ids(some))),
    scan: await scanRate(points),
  };
}

async function scanRate(points: GenerationPoints): Promise<number> {
  let scanned = 0;
  const seconds = await secondsOf(async () => {
    for await (const page of points.scan({ pipeline: 'bench' })) scanned += page.length;
  });
  return scanned / seconds;
}

async function fileSizes(address: StoreAddress, { name }: Generation) {
  if (!('directory' in address)) return { fileMiB: null, logMiB: null };
  const sizeOf = async (suffix: string) =>
    (await stat(join(address.directory, `${name}.db${suffix}`))).size / 2 ** 20;
  return { fileMiB: await sizeOf(''), logMiB: await sizeOf('-wal') };
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** The double in a process of its own, so that its processor time is not the client's. */
async function startDouble(): Promise<{ url: string; close(): void }> {
  const double = fork(fileURLToPath(import.meta.url), ['double']);
  const [url] = (await once(double, 'message')) as [string];
  return { url, close: () => void double.kill() };
}

async function main(sizes: readonly number[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'embedline-bench-'));
  try {
    print('SQLite', await benchStore({ directory }, sizes));
  } finally {
    await rm(directory, { recursive: true });
  }
  const real = process.env['QDRANT_TEST_URL'];
  const double = real === undefined ? await startDouble() : null;
  // The double scans all of its points for what the server has indexes for.
  const small = real === undefined ? sizes.slice(0, 1) : sizes;
  print(
    real === undefined ? 'Qdrant (double)' : 'Qdrant',
    await benchStore({ qdrantUrl: real ?? double?.url ?? '' }, small),
  );
  double?.close();
}

function print(store: string, figures: readonly StoreFigures[]): void {
  for (const figure of figures) process.stdout.write(`${JSON.stringify({ store, ...rounded(figure) })}\n`);
}

function rounded(figure: StoreFigures): object {
  return Object.fromEntries(
    Object.entries(figure).map(([name, value]) => [
      name,
      typeof value === 'number' ? Math.round(value) : value,
    ]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , mode, task] = process.argv;
  if (mode === 'writer') await runWriter(JSON.parse(task ?? '') as WriterTask);
  else if (mode === 'double') {
    const { startQdrantDouble } = await import('../support/qdrant-double/server.ts');
    process.send?.((await startQdrantDouble()).url);
  } else {
    const sizes = process.argv.slice(2).map(Number);
    await main(sizes.length === 0 ? [10_000, 100_000, 1_000_000] : sizes);
  }
}
