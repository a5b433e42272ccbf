/** What the authors of a family of models say of how it is used, for folders whose files do not. */
export interface ModelFamily {
  readonly name: string;
  /** Put before queries and passages; empty for none. */
  readonly queryPrefix: string;
  readonly passagePrefix: string;
  readonly pooling: 'mean' | 'cls' | 'lasttoken';
}

const RETRIEVAL = 'Represent this sentence for searching relevant passages: ';

/** First match wins. Names as their authors publish them; exports under other owners keep them. */
const FAMILIES: readonly (ModelFamily & { readonly pattern: RegExp })[] = [
  family('E5 instruct', /e5-[\w.-]*instruct/i, 'mean', 'Instruct: TASK\nQuery: '),
  family('E5', /(?:^|[/_-])e5-(?:small|base|large)/i, 'mean', 'query: ', 'passage: '),
  family('BGE (Chinese)', /bge-(?:small|base|large)-zh/i, 'cls', '为这个句子生成表示以用于检索相关文章：'),
  family('BGE', /bge-(?:small|base|large)-en/i, 'cls', RETRIEVAL),
  family('BGE M3', /bge-m3/i, 'cls'),
  family(
    'Nomic Embed',
    /nomic-embed-text|modernbert-embed|nomic-bert/i,
    'mean',
    'search_query: ',
    'search_document: ',
  ),
  family('Arctic Embed 2', /arctic-embed-[\w-]+-v2/i, 'cls', 'query: '),
  family('Arctic Embed', /arctic-embed/i, 'cls', RETRIEVAL),
  family('mxbai-embed-large', /mxbai-embed-large/i, 'cls', RETRIEVAL),
  family('MDBR Leaf', /mdbr-leaf/i, 'mean', RETRIEVAL),
  family(
    'EmbeddingGemma',
    /embeddinggemma/i,
    'mean',
    'task: search result | query: ',
    'title: none | text: ',
  ),
  family('Qwen3 Embedding', /qwen3-embedding/i, 'lasttoken', 'Instruct: TASK\nQuery:'),
  family('Jina v5', /jina-embeddings-v5/i, 'lasttoken', 'Query: ', 'Document: '),
  family('GTE', /gte-(?:modernbert-base|(?:base|large)-en-v1\.5|multilingual-base)/i, 'cls'),
  family('Granite Embedding', /granite-embedding/i, 'cls'),
];

/** @param names the model's id and what else it is called, e.g. `_name_or_path` of its config.json */
export function familyOf(names: readonly (string | undefined)[]): ModelFamily | null {
  const known = names.filter((name) => name !== undefined);
  return FAMILIES.find(({ pattern }) => known.some((name) => pattern.test(name))) ?? null;
}

function family(
  name: string,
  pattern: RegExp,
  pooling: ModelFamily['pooling'],
  queryPrefix = '',
  passagePrefix = '',
) {
  return { name, pattern, pooling, queryPrefix, passagePrefix };
}
