import { DatabaseSync } from 'node:sqlite';
import { glob, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pointId } from '@embedline/core';
import { ChunkSample } from '../../apps/producer/src/verify/sample.ts';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { comparable, storedPoints } from '../support/stored.ts';

const RECORDS = Array.from({ length: 12 }, (_, index) => ({
  id: `d${index}`,
  text: `A text about number ${index}.`,
}));

async function ingested(): Promise<TestBench> {
  const bench = await testBench();
  await writeFile(join(bench.directory, 'docs.jsonl'), jsonl(RECORDS));
  expect(await bench.run(command(bench, 'ingest', '--workers', '1'))).toMatchObject({ code: 0 });
  return bench;
}

function command(bench: TestBench, name: string, ...more: string[]): string[] {
  return [name, join(bench.directory, 'docs.jsonl'), '--collection', 'docs', ...more];
}

/** Changes the stored points behind embedline's back. */
async function tamper(bench: TestBench, sql: string, ...values: string[]): Promise<void> {
  const files = await Array.fromAsync(glob('vectors/docs--g*.db', { cwd: bench.directory }));
  const database = new DatabaseSync(join(bench.directory, files[0] ?? ''));
  expect(database.prepare(sql).run(...values).changes).toBe(1);
  database.close();
}

describe('verify', () => {
  test('a sound collection passes, with its vectors made again', async () => {
    const bench = await ingested();
    const result = await bench.run(command(bench, 'verify', '--json'));
    expect(result.code).toBe(0);
    expect(result.json).toMatchObject([
      {
        type: 'verification',
        sound: true,
        chunks: 12,
        missing: 0,
        stale: 0,
        orphaned: 0,
        duplicate: 0,
        vectors: { checked: 12, wrong: [] },
        health: { healthy: true },
      },
    ]);
    const people = await bench.run(command(bench, 'verify'));
    expect(people.stdout).toMatch(/docs sound.*wrong vectors +0 +of 12 made again, cosine 1\.0/s);
  });

  test('names what is missing, stale, orphaned, duplicate and wrong; repairs it; and is content', async () => {
    const bench = await ingested();
    const expected = comparable(await storedPoints(bench.directory, 'docs'));
    const id = (document: string) => pointId('docs', document, 0);
    for (const table of ['vec', 'bit'])
      await tamper(bench, `DELETE FROM ${table} WHERE pk = (SELECT pk FROM point WHERE id = ?)`, id('d1'));
    await tamper(bench, 'DELETE FROM point WHERE id = ?', id('d1'));
    await tamper(bench, "UPDATE point SET text_hash = 'other', document_mark = NULL WHERE id = ?", id('d2'));
    await tamper(
      bench,
      "UPDATE point SET document_id = 'unknown', id = 'x' || substr(id, 2) WHERE id = ?",
      id('d3'),
    );
    await tamper(bench, "UPDATE point SET id = 'y' || substr(id, 2) WHERE id = ?", id('d4'));
    await tamper(
      bench,
      'UPDATE vec SET v = (SELECT v FROM vec JOIN point USING(pk) WHERE id = ?1) WHERE pk = (SELECT pk FROM point WHERE id = ?2)',
      id('d5'),
      id('d6'),
    );
    const found = await bench.run(command(bench, 'verify', '--json'));
    expect(found.code).toBe(1);
    expect(found.json).toMatchObject([
      {
        sound: false,
        missing: 3,
        stale: 1,
        orphaned: 1,
        duplicate: 1,
        vectors: { wrong: [{ documentId: 'd6', why: expect.stringMatching(/cosine of 0\.\d+/) }] },
      },
    ]);
    const repaired = await bench.run(
      command(bench, 'verify', '--repair', '--workers', '1', '--max-delete', '100', '--json'),
    );
    expect(repaired.code).toBe(0);
    expect(repaired.json.at(-1)).toMatchObject({
      sound: true,
      missing: 0,
      stale: 0,
      orphaned: 0,
      duplicate: 0,
      vectors: { wrong: [] },
    });
    expect(comparable(await storedPoints(bench.directory, 'docs'))).toEqual(expected);
  });

  test('a collection made with other options is not judged, and the reader is told why', async () => {
    const bench = await ingested();
    const result = await bench.run(command(bench, 'verify', '--chunk-tokens', '64'));
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('made with another model or chunking'),
    });
    const nowhere = await bench.run(['verify', join(bench.directory, 'docs.jsonl'), '--collection', 'other']);
    expect(nowhere.stderr).toMatch(/There is no collection "other"/);
  });

  test('a sample takes each chunk with the same probability', () => {
    const drawn = new Map<string, number>();
    let state = 1;
    const random = () => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647;
    };
    for (let round = 0; round < 4000; round += 1) {
      const sample = new ChunkSample(3, random);
      for (const { id } of RECORDS) sample.offer('docs', { document: { id } as never, chunkCount: 1 });
      expect(new Set(sample.ids).size).toBe(3);
      for (const id of sample.ids) drawn.set(id, (drawn.get(id) ?? 0) + 1);
    }
    expect(drawn.size).toBe(12);
    // 1,000 are expected of each; five standard deviations are 137.
    for (const count of drawn.values()) expect(Math.abs(count - 1000)).toBeLessThan(137);
  });
});
