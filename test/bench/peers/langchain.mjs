/** What a user of LangChain.js writes: `fromDocuments` of its Qdrant store, which embeds all, then upserts all at once. */
import { pipeline } from '@huggingface/transformers';
import { Document } from '@langchain/core/documents';
import { Embeddings } from '@langchain/core/embeddings';
import { QdrantVectorStore } from '@langchain/qdrant';

/** As HuggingFaceTransformersEmbeddings of @langchain/community, which does not accept transformers.js 4: 512 at a time. */
class TransformersEmbeddings extends Embeddings {
  #extract;

  constructor(extract) {
    super({});
    this.#extract = extract;
  }

  async embedDocuments(texts) {
    const vectors = [];
    for (let start = 0; start < texts.length; start += 512)
      vectors.push(...(await this.#embed(texts.slice(start, start + 512))));
    return vectors;
  }

  async embedQuery(text) {
    const [vector] = await this.#embed([text]);
    return vector;
  }

  async #embed(texts) {
    return (await this.#extract(texts, { pooling: 'mean', normalize: true })).tolist();
  }
}

/** @param {import('./peer.ts').PeerSettings} settings */
export async function createPeer({ model, dtype, qdrantUrl }) {
  const embeddings = new TransformersEmbeddings(
    await pipeline('feature-extraction', model, dtype === null ? {} : { dtype }),
  );

  return async function ingest(texts, collection) {
    const documents = texts.map((pageContent) => new Document({ pageContent }));
    await QdrantVectorStore.fromDocuments(documents, embeddings, {
      url: qdrantUrl,
      collectionName: collection,
    });
  };
}
