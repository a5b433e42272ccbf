import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { fromMetadata } from '../../packages/core/src/vector-store/qdrant/generation-metadata.ts';
import { jsonl, testBench } from '../support/cli.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { until } from '../support/temporary.ts';

const PACED_WORKER = fileURLToPath(new URL('../support/paced-worker.ts', import.meta.url));

test('a deferred build that was killed is continued without the flag, and indexed before it is seen', async () => {
  const double = await startQdrantDouble();
  onTestFinished(() => double.close());
  const bench = await testBench({ QDRANT_URL: double.url });
  const records = Array.from({ length: 40 }, (_, index) => ({ id: `d${index}`, text: `Text ${index}.` }));
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(records));
  const ingest = ['ingest', 'docs.jsonl', '--collection', 'docs', '--workers', '0', '--json'];
  const killed = bench.start([...ingest, '--defer-indexing']);
  const isDeferred = () => double.state.collections.values().some(({ hnswM }) => hnswM === 0);
  // Before that, the creation is not complete: it is not continued, but left to be cleared away later.
  const isComplete = () =>
    double.state.collections.values().some(({ metadata }) => fromMetadata(metadata)?.complete === true);
  await until('the build has begun', () => isDeferred() && isComplete());
  killed.process.kill('SIGKILL');
  await killed.result;
  expect(double.state.aliases.size).toBe(0);
  bench.startProgram(PACED_WORKER);
  const { code, json, stderr } = await bench.run(ingest);
  expect(code, stderr).toBe(0);
  expect(json.at(-1)).toMatchObject({ state: 'done', chunks: { total: 40 } });
  const live = double.state.collections.get(double.state.aliases.get('docs') ?? '');
  expect(live).toMatchObject({ hnswM: 16, size: 40 });
  expect(isDeferred()).toBe(false);
});

test('the embedded store has nothing to defer, and says so', async () => {
  const bench = await testBench();
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl([{ id: 'a', text: 'Text.' }]));
  bench.startProgram(PACED_WORKER);
  const { code, stderr } = await bench.run([
    'ingest',
    'docs.jsonl',
    '--collection',
    'docs',
    '--workers',
    '0',
    '--defer-indexing',
  ]);
  expect(code).toBe(0);
  expect(stderr).toContain('The embedded store has no index to defer');
});
