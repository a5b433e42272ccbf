/**
 * What a static model gives up and what it gains, against the model that ships. Run it with
 * `npm run bench:static -- [MODEL ...]`, an id in EMBEDLINE_MODELS or a folder; default: every static model there is.
 *
 * quality  Spearman correlation of the similarities of all pairs of the golden texts with those of their reference
 *          vectors; of 400 chunks of the State of the Union addresses, the share of each one's ten nearest that are
 *          also among the ten nearest by the model that ships
 * speed    both on one core, in turns within one run, medians of the rounds; and the longest time for which the static
 *          model kept its thread from anything else
 */
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import {
  createEmbedder,
  DEFAULT_MODEL_ID,
  listModels,
  loadConfig,
  resolveModel,
  type Embedder,
} from '@embedline/core';
import { z } from 'zod';
import { benchCorpora } from './corpora.ts';

const CHUNKS = 400;
const NEIGHBOURS = 10;
const ROUNDS = 5;
/** Texts a round: enough for either to take a measurable time. */
const TEXTS_PER_ROUND = { transformer: 16, static: 1_000 };

type Vectors = readonly ArrayLike<number>[];

const { modelsDirectory, dataDirectory } = loadConfig();
const open = async (id: string) =>
  createEmbedder(await resolveModel({ id, modelsDirectory, dataDirectory }), { processes: 1 });

const corpora = await benchCorpora();
const chunks = corpora.long.slice(0, CHUNKS);
const goldenFile = fileURLToPath(new URL('../../models/golden.json', import.meta.url));
const golden = z
  .object({ items: z.array(z.object({ text: z.string(), vector: z.array(z.number()) })) })
  .parse(JSON.parse(await readFile(goldenFile, 'utf8'))).items;

const full = await open(DEFAULT_MODEL_ID);
try {
  const reference = (await full.embed(chunks)).vectors;
  const named = process.argv.slice(2);
  for (const id of named.length > 0 ? named : await staticModels()) await measure(id, reference);
} finally {
  await full.close();
}

async function staticModels(): Promise<string[]> {
  const { models } = await listModels({ modelsDirectory, dataDirectory });
  return models.filter(({ model }) => model.kind === 'static').map(({ model }) => model.spec.id);
}

async function measure(id: string, reference: Vectors): Promise<void> {
  const fast = await open(id);
  try {
    const ofGolden = (await fast.embed(golden.map(({ text }) => text))).vectors;
    const ofChunks = (await fast.embed(chunks)).vectors;
    const references = golden.map(({ vector }) => vector);
    const goldenCorrelation = spearman(similarities(ofGolden), similarities(references));
    const chunkCorrelation = spearman(similarities(ofChunks), similarities(reference));
    const lines = [
      `${id}: ${fast.model.dimensions} dimensions, ${fast.model.dtype}`,
      `  golden texts     Spearman ${goldenCorrelation.toFixed(3)} (${golden.length} texts)`,
      `  long chunks      Spearman ${chunkCorrelation.toFixed(3)}, ${NEIGHBOURS} nearest: ` +
        `${(overlap(ofChunks, reference) * 100).toFixed(1)} % in common (${CHUNKS} chunks)`,
    ];
    for (const kind of ['long', 'short'] as const)
      lines.push(`  ${kind.padEnd(6)} speed     ${await compareSpeed(fast, corpora[kind])}`);
    process.stdout.write(`${lines.join('\n')}\n`);
  } finally {
    await fast.close();
  }
}

async function compareSpeed(fast: Embedder, texts: readonly string[]): Promise<string> {
  const rates: { full: number; fast: number }[] = [];
  let heldMs = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const of = (count: number) => texts.slice(round * count, (round + 1) * count);
    const fullRate = await textsPerSecond(full, of(TEXTS_PER_ROUND.transformer));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    rates.push({ full: fullRate, fast: await textsPerSecond(fast, of(TEXTS_PER_ROUND.static)) });
    delay.disable();
    heldMs = Math.max(heldMs, delay.max / 1e6);
  }
  const [slow, quick] = [median(rates.map((rate) => rate.full)), median(rates.map((rate) => rate.fast))];
  const ratio = median(rates.map((rate) => rate.fast / rate.full));
  return (
    `${quick.toFixed(0)} texts/s against ${slow.toFixed(0)}: ${ratio.toFixed(0)} times as many; ` +
    `thread held for at most ${heldMs.toFixed(0)} ms`
  );
}

async function textsPerSecond(embedder: Embedder, texts: readonly string[]): Promise<number> {
  const start = performance.now();
  await embedder.embed(texts);
  return texts.length / ((performance.now() - start) / 1000);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}

/** Of every pair, in one order. */
function similarities(vectors: Vectors): number[] {
  return vectors.flatMap((a, i) => vectors.slice(i + 1).map((b) => dot(a, b)));
}

function spearman(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [centredRanks(a), centredRanks(b)];
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

/** Equal values do not occur among similarities of different texts. */
function centredRanks(values: readonly number[]): number[] {
  const ranks = Array<number>(values.length);
  const order = values.map((value, index) => ({ value, index })).sort((a, b) => a.value - b.value);
  order.forEach(({ index }, rank) => (ranks[index] = rank - (values.length - 1) / 2));
  return ranks;
}

/** Mean share of the nearest neighbours of a text that both have found. */
function overlap(a: Vectors, b: Vectors): number {
  const shares = a.map((_, index) => {
    const others = new Set(nearest(b, index));
    return nearest(a, index).filter((neighbour) => others.has(neighbour)).length / NEIGHBOURS;
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

function nearest(vectors: Vectors, index: number): number[] {
  const scored = vectors.map((vector, other) => ({ other, score: dot(vectors[index] ?? [], vector) }));
  return scored
    .filter(({ other }) => other !== index)
    .sort((a, b) => b.score - a.score)
    .slice(0, NEIGHBOURS)
    .map(({ other }) => other);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
