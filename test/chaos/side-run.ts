import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pointId, type GenerationPoints, type RunProgress } from '@embedline/core';
import { fakeVector } from '../support/fake-embedder.ts';
import { PRODUCER } from './feed.ts';
import { newestRun, type ChaosSystem } from './system.ts';

export interface SideRunOptions {
  /** A collection, and so a pipeline, that nobody else writes to. */
  readonly collection: string;
  readonly model: string;
  readonly documents: number;
  /** Program of the producer. Defaults to the present one. */
  readonly producer?: string;
  /** The reader of its output goes away after this many bytes, as `2>&1 | head -c 20` does. Defaults to never. */
  readonly readBytes?: number;
}

/** A run of another pipeline, beside the one that everything happens to. */
export interface SideRun {
  readonly process: ChildProcess;
  /** Resolves when it has ended and all that it had to store is there, once. Rejects with what is not so. */
  readonly judged: Promise<void>;
}

export async function startSideRun(system: ChaosSystem, options: SideRunOptions): Promise<SideRun> {
  const { collection, model, documents, producer = PRODUCER, readBytes = Infinity } = options;
  const file = join(system.directory, `${collection}.jsonl`);
  const lines = Array.from({ length: documents }, (_, index) =>
    JSON.stringify({ id: `s-${index}`, text: textOf(collection, index) }),
  );
  await writeFile(file, `${lines.join('\n')}\n`);
  const args = [producer, 'ingest', file, '--collection', collection, '--model', model, '--workers', '0'];
  const child = spawn(process.execPath, args, { env: system.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const read = readUntilGone(child, readBytes);
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  const judge = async () => {
    const code = await ended;
    if (code !== 0) throw new Error(`The ingest of ${collection} ended with ${code}:\n${read()}`);
    await judgeSideRun(system, options);
  };
  const judged = judge();
  // It is awaited later: until then, a failure is nobody's.
  judged.catch(() => undefined);
  return { process: child, judged };
}

/** Reads both streams until so many bytes have come, and then closes them. @returns what was read */
export function readUntilGone(child: ChildProcess, bytes: number): () => string {
  let text = '';
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  for (const stream of streams)
    stream.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(-20_000);
      if (text.length >= bytes) streams.forEach((one) => one.destroy());
    });
  return () => text;
}

function textOf(collection: string, index: number): string {
  return `the quick brown fox . ${collection} has ${index} lines`;
}

async function judgeSideRun(system: ChaosSystem, { collection, documents }: SideRunOptions): Promise<void> {
  const run = await newestRun(system, collection);
  const counts = {
    state: run?.state,
    deadLetters: run?.deadLetters,
    embedded: run?.workers.chunksEmbedded,
    batches: run?.workers.batchesDone,
    byWorkers: run?.byWorker.reduce((sum, { batches }) => sum + batches, 0),
  };
  const batches = run?.producer.batchesTotal;
  const wanted = { state: 'done', deadLetters: 0, embedded: documents, batches, byWorkers: batches };
  if (run === undefined || JSON.stringify(counts) !== JSON.stringify(wanted))
    throw new Error(`${collection} came to ${JSON.stringify(counts)}, not ${JSON.stringify(wanted)}.`);
  await judgePoints(system, run, documents);
}

async function judgePoints({ store }: ChaosSystem, run: RunProgress, documents: number): Promise<void> {
  const { collection, generation } = run.spec;
  const points = await store.open(generation);
  try {
    const ids = Array.from({ length: documents }, (_, index) => pointId(collection, `s-${index}`, 0));
    let wrong = 0;
    for (let start = 0; start < documents; start += 500)
      wrong += await countWrong(points, ids.slice(start, start + 500), run);
    let all = 0;
    for await (const page of points.scan()) all += page.length;
    if (wrong > 0 || all !== documents)
      throw new Error(`${collection} has ${all} points for ${documents} texts; ${wrong} are lost or wrong.`);
  } finally {
    await points.close();
  }
  for (const each of await store.generations(collection)) await store.dropGeneration(each);
}

async function countWrong(
  points: GenerationPoints,
  ids: readonly string[],
  { spec }: RunProgress,
): Promise<number> {
  const found = await points.retrieve(ids);
  const right = [...found.values()].filter(({ chunk, vector }) => {
    const text = textOf(spec.collection, Number(chunk.documentId.slice(2)));
    const expected = fakeVector(spec.model, spec.model.passagePrefix + text);
    // Qdrant normalises once more, in 32 bits.
    const isSame = expected.every((value, position) => Math.abs(value - (vector[position] ?? 2)) < 1e-6);
    return chunk.text === text && isSame;
  });
  return ids.length - right.length;
}
