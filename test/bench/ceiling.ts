import { fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ResolvedModel } from '@embedline/core';
import { MicroBatchQueue } from '../../packages/core/src/embedder/micro-batch-queue.ts';
import { loadTokenizer } from '../../packages/core/src/embedder/tokenizer.ts';
import type { CeilingWork } from './ceiling-process.ts';

const PROGRAM = fileURLToPath(new URL('./ceiling-process.ts', import.meta.url));
const MICRO_BATCH_TOKENS = 512;

/** Texts per second of bare sessions on all cores; see ceiling-process.ts. Loading and tokenising are not in the time. */
export async function measureCeiling(texts: readonly string[], model: ResolvedModel): Promise<number> {
  const microBatches = await planIdeally(texts, model);
  const cores = availableParallelism();
  const children = Array.from({ length: cores }, (_, core) => {
    const child = fork(PROGRAM, { serialization: 'advanced', execArgv: [] });
    const own = microBatches.filter((_batch, index) => index % cores === core);
    const work: CeilingWork = { weightsFile: model.weightsFile, microBatches: own };
    child.send(work);
    return child;
  });
  await Promise.all(children.map((child) => once(child, 'message')));
  const startedAt = performance.now();
  const done = children.map((child) => once(child, 'message'));
  for (const child of children) child.send('go');
  await Promise.all(done);
  return texts.length / ((performance.now() - startedAt) / 1000);
}

/** All texts are known: no micro-batch is smaller than it has to be, and neighbours are of like length. */
async function planIdeally(texts: readonly string[], { directory, spec }: ResolvedModel) {
  const tokenizer = await loadTokenizer(directory);
  const queue = new MicroBatchQueue({ mixesLengths: false });
  for (const text of texts) queue.add(tokenizer.encode(text, spec.maxTokens));
  const batches: { texts: number; ids: Int32Array }[] = [];
  for (let batch = queue.take(MICRO_BATCH_TOKENS); batch.length > 0; batch = queue.take(MICRO_BATCH_TOKENS))
    batches.push({ texts: batch.length, ids: Int32Array.from(batch.flatMap(({ ids }) => ids)) });
  return batches.sort((a, b) => a.ids.length / a.texts - b.ids.length / b.texts);
}
