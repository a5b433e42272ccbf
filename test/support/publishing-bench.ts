import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { VectorStore } from '@embedline/core';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { jsonl } from './cli.ts';
import { fakeModel } from './fake-embedder.ts';
import { inProcess, type IngestCall } from './in-process.ts';
import { startQdrantDouble } from './qdrant-double/server.ts';
import { temporaryDirectory } from './temporary.ts';

export const [ONE, TWO] = [fakeModel('one', 8), fakeModel('two', 16)];
export const texts = (count: number, word = 'Text') =>
  Array.from({ length: count }, (_, index) => ({ id: `d${index}`, text: `${word} ${index}.` }));
/** Each text of these corpora; the one by which a worker tells that it works at all is none of them. */
export const ANY = (text: string) => /\d/.test(text);
/** As many chunks of 16 words. */
export const long = (...words: string[]) =>
  words.map((word) => Array.from({ length: 12 }, (_, index) => `${word}x${index}`).join(' ')).join('.\n\n');

export const STORES = [
  ['SQLite', async () => openSqliteStore({ directory: await temporaryDirectory() })],
  [
    'Qdrant (double)',
    async () => {
      const double = await startQdrantDouble();
      onTestFinished(() => double.close());
      return openQdrantStore({ url: double.url });
    },
  ],
] as const;

export async function publishingBench(open: () => Promise<VectorStore> = STORES[0][1]) {
  const store = await open();
  onTestFinished(() => store.close());
  const cwd = await temporaryDirectory();
  const broken: { fails: (text: string) => boolean } = { fails: () => false };
  const system = inProcess(store, store, (text) => broken.fails(text));
  const file = join(cwd, 'docs.jsonl');
  return {
    store,
    system,
    file,
    /** Texts that no worker can embed, from now on. */
    break: (fails: (text: string) => boolean) => void (broken.fails = fails),
    call: (more: Partial<IngestCall> = {}): IngestCall => ({
      collection: 'docs',
      pipeline: 'docs',
      sources: ['docs.jsonl'],
      cwd,
      model: ONE,
      maxTokens: 16,
      maxDeleteShare: 0.2,
      ...more,
    }),
    write: (records: readonly object[]) => writeFile(file, jsonl(records)),
    seen: async () => {
      const points = [...(await system.livePoints('docs')).values()];
      const shown = points.map(({ chunk, stale }) => [
        `${chunk.documentId}/${chunk.chunkIndex}`,
        `${chunk.text.slice(0, 6)}${stale === true ? ' (stale)' : ''}`,
      ]);
      return Object.fromEntries(shown) as Record<string, string>;
    },
  };
}

export const refusal = (code: string, message: RegExp) => ({
  code,
  message: expect.stringMatching(message) as string,
});
