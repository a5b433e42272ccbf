import { fileURLToPath } from 'node:url';
import {
  createChunker,
  DEFAULT_MODEL_ID,
  loadTokenCounter,
  parseChunkingOptions,
  resolveModel,
} from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { openChunking } from '../../apps/producer/src/ingest/open-chunking.ts';
import { ChunkingThreads } from '../../apps/producer/src/ingest/chunking-threads.ts';

const modelsDirectory = fileURLToPath(new URL('../../models', import.meta.url));
const model = await resolveModel({
  id: DEFAULT_MODEL_ID,
  modelsDirectory,
  dataDirectory: modelsDirectory,
});
const settings = { model, chunking: parseChunkingOptions({ maxTokens: 40 }, model.spec.maxTokens) };

function start(count: number, from = settings): ChunkingThreads {
  const threads = new ChunkingThreads(count, from);
  onTestFinished(() => threads.close());
  return threads;
}

test('threads cut documents as one thread does, in order, however many there are', async () => {
  const chunk = createChunker(settings.chunking, await loadTokenCounter(model));
  const documents = Array.from({ length: 50 }, (_, index) => ({
    text: `# Part ${index}\n\n${`Sentence ${index}, of a few words 🙂. `.repeat(index)}`,
    title: index % 2 === 0 ? null : `Title ${index}`,
    format: index % 3 === 0 ? ('markdown' as const) : ('plain' as const),
  }));
  const threads = start(3);
  for (const some of [documents, documents.slice(0, 2), [], documents.slice(49)])
    expect(await threads.chunk(some)).toEqual(some.map((document) => chunk(document)));
  const [first, second] = await Promise.all([
    threads.chunk(documents.slice(0, 30)),
    threads.chunk(documents.slice(30)),
  ]);
  expect([...first, ...second]).toEqual(documents.map((document) => chunk(document)));
});

test('a thread that dies fails what it owes and all that follows, by name', async () => {
  const broken = { ...settings, chunking: null as never };
  const threads = start(2, broken);
  const documents = [{ text: 'Text.', title: null }];
  const error = {
    code: 'CHUNKING_FAILED',
    message: expect.stringContaining('--producer-threads 1') as string,
  };
  await expect(threads.chunk(documents)).rejects.toMatchObject(error);
  await expect(threads.chunk(documents)).rejects.toMatchObject(error);
});

test.each([
  ['options that leave no room for text', { chunking: { maxTokens: 5, overlapTokens: 0 } }, 'USAGE'],
  ['a model that is not there', { model: { ...model, directory: '/nonexistent' } }, 'MODEL_INVALID'],
])('13.4 %s are refused as in one thread', async (_, other, code) => {
  const threads = start(2, { ...settings, ...other });
  await expect(threads.chunk([{ text: 'Text.', title: null }])).rejects.toMatchObject({ code });
  await expect(openChunking(1, { ...settings, ...other })).rejects.toMatchObject({ code });
});

test('closing fails what is under way', async () => {
  const threads = start(2);
  const cutting = threads.chunk([{ text: 'word '.repeat(200_000), title: null }]);
  const failed = expect(cutting).rejects.toMatchObject({ code: 'CLOSED' });
  await threads.close();
  await failed;
  await threads.close();
});
