/** What a user of transformers.js writes: 32 texts at a time through the pipeline, and an upsert of each 32. */
import { pipeline } from '@huggingface/transformers';
import { QdrantClient } from '@qdrant/js-client-rest';

/** @param {import('./peer.ts').PeerSettings} settings */
export async function createPeer({ model, dtype, qdrantUrl }) {
  // No dtype means the default of transformers.js, which on Node is fp32.
  const extract = await pipeline('feature-extraction', model, dtype === null ? {} : { dtype });
  const client = new QdrantClient({ url: qdrantUrl });

  return async function ingest(texts, collection) {
    await client.createCollection(collection, { vectors: { size: 384, distance: 'Cosine' } });
    for (let start = 0; start < texts.length; start += 32) {
      const batch = texts.slice(start, start + 32);
      const vectors = (await extract(batch, { pooling: 'mean', normalize: true })).tolist();
      const points = batch.map((text, index) => ({
        id: start + index,
        vector: vectors[index],
        payload: { text },
      }));
      await client.upsert(collection, { wait: true, points });
    }
  };
}
