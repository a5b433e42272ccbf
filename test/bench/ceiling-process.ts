/**
 * What this machine can do at most: one bare onnxruntime session, nothing around it. Texts come tokenised and in ideal
 * micro-batches (of one length, about 512 tokens); vectors are thrown away. Told to start by its parent.
 */
import * as ort from 'onnxruntime-node';

export interface CeilingWork {
  readonly weightsFile: string;
  /** Each the token ids of texts of one length, one after the other. */
  readonly microBatches: readonly { readonly texts: number; readonly ids: Int32Array }[];
}

process.once('message', (work) => void prepare(work as CeilingWork));

async function prepare({ weightsFile, microBatches }: CeilingWork): Promise<void> {
  const session = await ort.InferenceSession.create(weightsFile, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const feeds = microBatches.map(({ texts, ids }) => feedsOf(texts, ids));
  for (const feed of feeds.slice(0, 3)) await session.run(feed);
  process.once('message', () => void run(session, feeds));
  process.send?.('ready');
}

async function run(
  session: ort.InferenceSession,
  feeds: readonly ort.InferenceSession.FeedsType[],
): Promise<void> {
  for (const feed of feeds) await session.run(feed);
  process.send?.('done');
  process.disconnect();
}

function feedsOf(texts: number, ids: Int32Array): ort.InferenceSession.FeedsType {
  const shape = [texts, ids.length / texts];
  return {
    input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
    token_type_ids: new ort.Tensor('int64', new BigInt64Array(ids.length), shape),
  };
}
