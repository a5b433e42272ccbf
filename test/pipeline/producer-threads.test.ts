import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { jsonl, testBench } from '../support/cli.ts';
import { comparable, storedPoints } from '../support/stored.ts';

const PACED_WORKER = fileURLToPath(new URL('../support/paced-worker.ts', import.meta.url));
const records = Array.from({ length: 200 }, (_, index) => ({
  id: `d${index}`,
  text: `Text ${index} is one of a few. `.repeat(index % 40),
}));

test('several threads make the same points as one', async () => {
  const stored: Record<string, unknown>[] = [];
  for (const threads of ['1', '3']) {
    const bench = await testBench();
    await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(records));
    bench.startProgram(PACED_WORKER);
    const ingest = ['ingest', 'docs.jsonl', '--collection', 'docs', '--workers', '0'];
    const { code } = await bench.run([...ingest, '--chunk-tokens', '50', '--producer-threads', threads]);
    // Documents of no text have no chunks, and are no failure.
    expect(code).toBe(0);
    stored.push(comparable(await storedPoints(bench.directory, 'docs')));
  }
  const [one, three] = stored;
  expect(Object.keys(one ?? {}).length).toBeGreaterThan(300);
  expect(three).toEqual(one);
});
