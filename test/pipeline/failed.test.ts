import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { RunLedger } from '@embedline/core';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';
import { storedPoints } from '../support/stored.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const PACED_WORKER = fileURLToPath(new URL('../support/paced-worker.ts', import.meta.url));
const LONG_TAIL = 'and so on '.repeat(40);

/** An ingest with two chunks that no worker could embed, and a record that could not be read. */
async function withDeadLetters(): Promise<{ bench: TestBench; ledger: RunLedger; runId: string }> {
  const bench = await testBench();
  const records = ['a', 'b', 'c', 'd'].map((id) => ({
    id,
    text: `Text ${id} ${id < 'c' ? 'POISON ' : ''}${LONG_TAIL}`,
  }));
  await writeFile(join(bench.directory, 'docs.jsonl'), `${jsonl(records)}{"no":"id"}\n`);
  const worker = bench.startProgram(PACED_WORKER);
  const args = ['ingest', 'docs.jsonl', '--collection', 'docs', '--json', '--max-given-up', '50%'];
  const result = await bench.run(args);
  worker.process.kill('SIGTERM');
  await worker.result;
  expect(result, result.stderr).toMatchObject({ code: 3 });
  expect(result.json.at(-1)).toMatchObject({ deadLetters: 3, chunks: { embedded: 2 } });
  const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
  return { bench, ledger, runId: String(result.json.at(-1)?.['run']) };
}

const documentsOf = async ({ directory }: TestBench) =>
  [...(await storedPoints(directory, 'docs')).values()].map(({ chunk }) => chunk.documentId).sort();

describe('dead letters', () => {
  test('are grouped by cause, with no more than an excerpt of the text', async () => {
    const { bench, runId } = await withDeadLetters();
    const { stdout } = await bench.run(['failed', 'list']);
    expect(stdout).toContain(`3 dead letters of run ${runId}`);
    expect(stdout).toMatch(/\n2 {2}EMBEDDING_FAILED .*\n {3}document a chunk 0 .*\n {3}document b chunk 0/);
    expect(stdout).toMatch(/\n1 {2}RECORD_INVALID .*\n {3}docs\.jsonl:5/);
    const { json } = await bench.run(['failed', 'list', '--json', '--cause', 'EMBEDDING_FAILED']);
    expect(json).toHaveLength(2);
    for (const letter of json) {
      expect(String(letter['excerpt'])).toHaveLength(200);
      expect(letter).not.toHaveProperty('job');
    }
    const unknown = await bench.run(['failed', 'list', '--cause', 'NONSENSE']);
    expect(unknown).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('it has EMBEDDING_FAILED, RECORD_INVALID') as string,
    });
  });

  test('retry embeds the chunks from the queue, on a machine that has no corpus; the rest stays', async () => {
    const { bench, ledger, runId } = await withDeadLetters();
    bench.startWorker();
    const elsewhere = await temporaryDirectory();
    const retried = await bench.start(['failed', 'retry', '--json'], {}, elsewhere).result;
    expect(retried).toMatchObject({ code: 3, stderr: expect.stringMatching(/^1 dead letter of run/) });
    expect(retried.json.at(-1)).toMatchObject({ state: 'done', chunks: { total: 2, embedded: 2 } });
    expect(await documentsOf(bench)).toEqual(['a', 'b', 'c', 'd']);
    expect((await ledger.deadLetters(runId)).map(({ code }) => code)).toEqual(['RECORD_INVALID']);
    const again = await bench.run(['ingest', 'docs.jsonl', '--collection', 'docs', '--json']);
    expect(again.json.at(-1)).toMatchObject({ chunks: { embedded: 0, skipped: 4 }, deadLetters: 1 });
  });

  test('what fails again is a dead letter of the retry', async () => {
    const { bench, ledger, runId } = await withDeadLetters();
    bench.startProgram(PACED_WORKER);
    const retried = await bench.run(['failed', 'retry', '--cause', 'EMBEDDING_FAILED', '--json']);
    expect(retried.code).toBe(3);
    const run = String(retried.json.at(-1)?.['run']);
    expect(run).not.toBe(runId);
    expect((await ledger.deadLetters(run)).map(({ documentId }) => documentId ?? '').sort()).toEqual([
      'a',
      'b',
    ]);
    expect((await ledger.retryJobs(run)).size).toBe(2);
    expect((await ledger.progress(runId))?.deadLetters).toBe(1);
  });

  test('a run that has been overtaken is not retried', async () => {
    const { bench, runId } = await withDeadLetters();
    bench.startWorker();
    await bench.run(['ingest', 'docs.jsonl', '--collection', 'docs']);
    const retried = await bench.run(['failed', 'retry', '--run', runId]);
    expect(retried).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/not the newest of pipeline docs.*Ingest again/) as string,
    });
  });

  test('drop forgets them and their texts', async () => {
    const { bench, ledger, runId } = await withDeadLetters();
    const some = await bench.run(['failed', 'drop', '--cause', 'EMBEDDING_FAILED', '--json']);
    expect(some.json).toEqual([{ type: 'dropped', run: runId, deadLetters: 2 }]);
    expect((await ledger.retryJobs(runId)).size).toBe(0);
    expect(await bench.run(['failed', 'drop'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Forgot 1 dead letter of') as string,
    });
    expect(await bench.run(['failed', 'list'])).toMatchObject({
      stdout: expect.stringContaining('has no dead letters') as string,
    });
  });
});
