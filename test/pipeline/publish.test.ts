import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { jsonl } from '../support/cli.ts';
import { fakeModel } from '../support/fake-embedder.ts';
import { forgetfulStore } from '../support/faulty-store.ts';
import { inProcess } from '../support/in-process.ts';
import { STORES } from '../support/publishing-bench.ts';
import { temporaryDirectory } from '../support/temporary.ts';

test.each(STORES)('a generation that lacks points is not published: %s', async (_, open) => {
  const store = await open();
  onTestFinished(() => store.close());
  const cwd = await temporaryDirectory();
  const records = (count: number) =>
    Array.from({ length: count }, (_empty, index) => ({ id: `d${index}`, text: `Text ${index}.` }));
  const call = { collection: 'docs', pipeline: 'docs', sources: ['docs.jsonl'], cwd, maxTokens: 24 };
  await writeFile(join(cwd, 'docs.jsonl'), jsonl(records(2)));
  const system = inProcess(store, forgetfulStore(store, 2));
  await system.ingest({ ...call, model: fakeModel('one', 8) });

  await writeFile(join(cwd, 'docs.jsonl'), jsonl(records(3)));
  const switched = { ...call, model: fakeModel('two', 16) };
  await expect(system.ingest(switched)).rejects.toMatchObject({
    code: 'STORE_MISMATCH',
    message: expect.stringMatching(/holds 0 points instead of 3, so it is not published/) as string,
  });
  expect([...(await system.livePoints('docs')).values()].map(({ vector }) => vector.length)).toEqual([8, 8]);

  await system.ingest(switched);
  expect([...(await system.livePoints('docs')).values()].map(({ vector }) => vector.length)).toEqual([
    16, 16, 16,
  ]);
});
