/**
 * How fast an unchanged corpus is ingested again: reading, hashing and looking up, in SQLite. Run it with
 * `npm run bench:unchanged -- [CHUNKS]`. The first load is written with a fake embedder; what is measured is the second
 * ingest as a process of its own, with its largest resident memory.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createChunker,
  loadTokenCounter,
  parseChunkingOptions,
  PAYLOAD_SCHEMA_VERSION,
  pipelineFingerprint,
  resolveModel,
  DEFAULT_MODEL_ID,
} from '@embedline/core';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { chunkHere } from '../../apps/producer/src/ingest/chunk-documents.ts';
import { compareCorpus } from '../../apps/producer/src/ingest/compare-corpus.ts';
import { createSeenDocuments } from '../../apps/producer/src/ingest/seen-documents.ts';
import { fakeVector } from '../support/fake-embedder.ts';
import { corpusOf } from '../support/corpus.ts';

const chunks = Number(process.argv[2] ?? 200_000);
const directory = await mkdtemp(join(tmpdir(), 'embedline-bench-'));
try {
  const file = join(directory, 'docs.jsonl');
  await writeCorpus(file);
  await load(file);
  for (let round = 1; round <= 3; round += 1) {
    const { seconds, maxRssMiB, summary } = await ingestAgain(file);
    process.stdout.write(
      `round ${round}: ${chunks} unchanged chunks in ${seconds.toFixed(1)} s = ${Math.round(chunks / seconds)} chunks/s, ` +
        `producer at most ${maxRssMiB.toFixed(0)} MiB; ${JSON.stringify(summary)}\n`,
    );
  }
} finally {
  await rm(directory, { recursive: true });
}

async function writeCorpus(path: string): Promise<void> {
  const output = createWriteStream(path);
  for (let index = 0; index < chunks; index += 1) {
    const text = `Report ${index} on the state of river number ${index % 977}: the water stood at ${index * 7} on that day.`;
    if (!output.write(`${JSON.stringify({ id: `doc-${index}`, text })}\n`))
      await new Promise<void>((resolve) => output.once('drain', () => resolve()));
  }
  await new Promise<void>((resolve) => output.end(() => resolve()));
}

/** Writes what an ingest would have written, with vectors that cost nothing. */
async function load(path: string): Promise<void> {
  const modelsDirectory = fileURLToPath(new URL('../../models', import.meta.url));
  const model = await resolveModel({ id: DEFAULT_MODEL_ID, modelsDirectory, dataDirectory: directory });
  const chunking = parseChunkingOptions({}, model.spec.maxTokens);
  const store = await openSqliteStore({ directory: join(directory, 'vectors') });
  const generation = await store.createGeneration('docs', {
    schemaVersion: PAYLOAD_SCHEMA_VERSION,
    model: model.spec,
    pipelines: { docs: pipelineFingerprint(chunking) },
    createdAt: new Date().toISOString(),
  });
  const points = await store.open(generation);
  const seen = createSeenDocuments();
  const windows = compareCorpus({
    corpus: corpusOf({ sources: [path], cwd: directory }),
    chunk: chunkHere(createChunker(chunking, await loadTokenCounter(model))),
    seen,
    pipeline: 'docs',
    passagePrefix: model.spec.passagePrefix,
    target: null,
    reuseFrom: null,
    signal: new AbortController().signal,
  });
  const small = { ...model.spec, dimensions: 32 };
  for await (const { decisions } of windows) {
    const found = decisions.flatMap(({ toEmbed }) => toEmbed);
    const vectors = found.map((chunk) => {
      const vector = new Float32Array(model.spec.dimensions);
      vector.set(fakeVector(small, chunk.text));
      return { chunk, vector };
    });
    await points.upsert(vectors, { runSequence: 1 });
  }
  await store.publish(generation);
  seen.close();
  await points.close();
  await store.close();
}

interface Measured {
  readonly seconds: number;
  readonly maxRssMiB: number;
  readonly summary: unknown;
}

/** The ingest as a user runs it; its seconds are those of its own summary. */
async function ingestAgain(path: string): Promise<Measured> {
  const program = fileURLToPath(new URL('../../apps/producer/bin/embedline.mjs', import.meta.url));
  // Not resourceUsage().maxRSS: that one also counts the process that this one was forked from.
  const rss = `import { readFileSync } from 'node:fs';
    process.on('exit', () => process.stderr.write(/VmHWM:.*/.exec(readFileSync('/proc/self/status', 'utf8'))[0] + '\\n'))`;
  const preload = `--import=data:text/javascript,${encodeURIComponent(rss)}`;
  const child = spawn(
    process.execPath,
    [program, 'ingest', path, '--collection', 'docs', '--workers', '0', '--json'],
    { env: { ...process.env, EMBEDLINE_HOME: directory, NODE_OPTIONS: preload } },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`ingest ended with ${String(code)}: ${stderr}`);
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as {
    seconds: number;
    chunks: unknown;
  };
  // The program starts the one that does the work: the larger of the two is it.
  const maxRssKiB = Math.max(...[...stderr.matchAll(/VmHWM:\s+(\d+)/g)].map((match) => Number(match[1])));
  return { seconds: summary.seconds, maxRssMiB: maxRssKiB / 1024, summary: summary.chunks };
}
