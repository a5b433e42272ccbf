// `npm run bench:kernel`: texts a second of one core for every instruction set of the kernel and for onnxruntime, by turns, and
// where the kernel's time goes. Ratios are from turns next to each other: a busy machine slows both.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { listInstructionSets, openKernel, packWeights, weightsFromOnnx } from '@embedline/kernel';
import { openOnnxruntimeEngine } from '../../packages/core/src/embedder/engine/onnxruntime-engine.ts';
import { nativeAddon } from '../../packages/kernel/src/native.ts';

const WEIGHTS = fileURLToPath(
  new URL('../../models/sentence-transformers/all-MiniLM-L6-v2/onnx/model_quantized.onnx', import.meta.url),
);
const PARTS = [
  'embedding',
  'QKV product',
  'attention: packing',
  'attention: scores',
  'attention: softmax',
  'attention: values',
  'context to 8 bits',
  'output product',
  'norm 1',
  'up product, GELU',
  'GELU to 8 bits',
  'down product',
  'norm 2',
  'pooling',
];
/** Multiply-adds per token of the products with weights: 6 layers of 384 to 1152, 384 to 384, 384 to 1536 and back. */
const PRODUCT_PARTS: Readonly<Record<string, number>> = {
  'QKV product': 6 * 384 * 1152,
  'output product': 6 * 384 * 384,
  'up product, GELU': 6 * 384 * 1536,
  'down product': 6 * 384 * 1536,
};
const WORKLOADS = [
  { name: 'long', tokens: 232, texts: 2 },
  { name: 'short', tokens: 18, texts: 28 },
];
const SECONDS = Number(process.argv[2] ?? 20);

interface Contender {
  readonly name: string;
  readonly run: () => Promise<void>;
  /** CPU seconds of each turn. */
  readonly turns: number[];
  /** Times of the parts in the turn that runs, and in the fastest one. */
  readonly ticks: Float64Array;
  readonly fastest: Float64Array;
}

const weightsFile = readFileSync(WEIGHTS);
const weights = await packWeights(weightsFromOnnx(weightsFile));
const inference = await openOnnxruntimeEngine({ weightsFile: WEIGHTS, dimensions: 384, pooling: 'mean' }, 1);
const sets = listInstructionSets().filter(({ name, usable }) => usable && name !== 'plain');
for (const workload of WORKLOADS) await measure(workload);

async function measure({ name, tokens, texts }: (typeof WORKLOADS)[number]): Promise<void> {
  const ids = Int32Array.from({ length: tokens * texts }, (_, index) => 1000 + ((index * 7919) % 19_000));
  const lengths = new Int32Array(texts).fill(tokens);
  const contenders: Contender[] = [
    contender('onnxruntime', async () => void (await inference.run(ids, lengths))),
  ];
  for (const set of sets) {
    const kernel = await openKernel({ weights, instructionSet: set.name });
    const out = new Float32Array(texts * kernel.dimensions);
    const ticks = new Float64Array(PARTS.length);
    contenders.push(
      contender(set.name, () => Promise.resolve(kernel.embed(ids, lengths, out, ticks)), ticks),
    );
  }
  for (const { run } of contenders) await run();
  const end = performance.now() + SECONDS * 1000;
  while (performance.now() < end) for (const each of contenders) await turn(each);
  report(`${name} (${texts} texts of ${tokens} tokens)`, contenders, tokens * texts, texts);
}

function contender(
  name: string,
  run: () => Promise<void>,
  ticks = new Float64Array(PARTS.length),
): Contender {
  return { name, run, turns: [], ticks, fastest: ticks.slice() };
}

async function turn({ run, turns, ticks, fastest }: Contender): Promise<void> {
  ticks.fill(0);
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  if (seconds < Math.min(...turns)) fastest.set(ticks);
  turns.push(seconds);
}

function report(title: string, contenders: readonly Contender[], tokens: number, texts: number): void {
  const [base] = contenders;
  const lines = contenders.map(({ name, turns }) => {
    const ratios = turns.map((seconds, index) => (base?.turns[index] ?? Number.NaN) / seconds);
    return [
      name.padEnd(14),
      `${(texts / Math.min(...turns)).toFixed(0)} texts/s at best,`.padStart(24),
      `${(texts / median(turns)).toFixed(0)} in the middle,`.padStart(20),
      `${median(ratios).toFixed(2)} x onnxruntime`.padStart(20),
    ].join('');
  });
  print(`\n${title}\n${lines.join('\n')}\n`);
  const timed = contenders.filter(({ fastest }) => fastest.some((value) => value > 0));
  print(`\n${'% of the time'.padEnd(22)}${timed.map(({ name }) => name.padStart(14)).join('')}\n`);
  for (const [part, label] of PARTS.entries()) {
    const cells = timed.map(
      ({ fastest }) => `${percent(fastest, part)} ${rate(fastest, part, label, tokens)}`,
    );
    print(`${label.padEnd(22)}${cells.map((cell) => cell.padStart(14)).join('')}\n`);
  }
  const { addon } = nativeAddon();
  const peaks = timed.map(({ name }) => {
    const engine = addon?.engines().indexOf(name) ?? -1;
    return (engine < 0 ? '' : (addon?.peak(engine / 2).toFixed(0) ?? '')).padStart(14);
  });
  print(`${'peak of the product'.padEnd(22)}${peaks.join('')}\nIn brackets: 8-bit multiply-adds a tick.\n`);
}

function percent(ticks: Float64Array, part: number): string {
  return ((100 * (ticks[part] ?? 0)) / ticks.reduce((sum, value) => sum + value, 0)).toFixed(1);
}

function rate(ticks: Float64Array, part: number, label: string, tokens: number): string {
  const work = PRODUCT_PARTS[label];
  return work === undefined ? '' : `(${((work * tokens) / (ticks[part] ?? 0)).toFixed(0)})`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function print(text: string): void {
  process.stdout.write(text);
}
