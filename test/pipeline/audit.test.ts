import { chmodSync, statSync } from 'node:fs';
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { writeAudit } from '@embedline/core';
import { appendLine } from '../../packages/core/src/state/append-file.ts';
import { jsonl, testBench } from '../support/cli.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const EVENT = { action: 'points-deleted', command: 'delete', counts: { points: 1 } } as const;

test(
  '14.15: what cannot be taken back is in the audit log, with who did it and how much',
  { timeout: 120_000 },
  async () => {
    const bench = await testBench();
    const corpus = (count: number) =>
      writeFile(
        join(bench.directory, 'a.jsonl'),
        `${jsonl(Array.from({ length: count }, (_, index) => ({ id: `d${index}`, text: `Secret text ${index}.` })))}{}\n`,
      );
    const run = async (args: string[], code: number) => {
      const result = await runInProcess(bench, args);
      expect(result.code, `${args.join(' ')}\n${result.stdout}${result.stderr}`).toBe(code);
      return result;
    };
    const ingest = ['ingest', 'a.jsonl', '--collection', 'a', '--sweep-incomplete'];
    const worker = bench.startWorker(['--concurrency', '1']);
    await corpus(6);
    await run(ingest, 3);
    await corpus(3);
    await run(ingest, 1);
    const { json } = await run([...ingest, '--max-delete', '60%', '--json'], 3);
    expect(json.filter(({ type }) => type === 'audit').map(({ action }) => action)).toEqual([
      'approved-above-guard',
      'points-deleted',
    ]);
    await run(['delete', '--collection', 'a', '--id', 'd0'], 0);
    await run([...ingest, '--rebuild', '--keep-generations', '1'], 3);
    await run(['collections', 'rollback', 'a'], 0);
    await run(['failed', 'drop'], 0);
    await run(['runs', 'prune', '--dry-run'], 0);
    await run(['runs', 'prune', '--keep', '1'], 0);
    await run(['collections', 'drop', 'a', '--yes'], 0);
    worker.process.kill('SIGTERM');
    await worker.result;

    const file = join(bench.directory, 'audit.jsonl');
    const text = await readFile(file, 'utf8');
    const records = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.map(({ command, action, counts }) => [command, action, counts])).toEqual([
      ['ingest', 'approved-above-guard', { pointsBefore: 6, pointsAfter: 3, chunksGivenUp: 0, percent: 50 }],
      ['ingest', 'points-deleted', { points: 3, documents: 3 }],
      ['delete', 'points-deleted', { points: 1, documents: 1 }],
      ['collections rollback', 'rolled-back', { pointsBefore: 3, pointsAfter: 2 }],
      ['failed drop', 'dead-letters-dropped', { deadLetters: 1 }],
      [
        'runs prune',
        'runs-pruned',
        { runs: expect.any(Number) as number, bytes: expect.any(Number) as number },
      ],
      ['collections drop', 'generations-dropped', { generations: 2 }],
    ]);
    for (const record of records)
      expect(record).toMatchObject({ version: 1, user: userInfo().username, pid: process.pid });
    expect(text).not.toContain('Secret text');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  },
);

describe('14.15: the audit log', () => {
  test('leads nowhere by a link, and is not written where others may write', async () => {
    const home = await temporaryDirectory();
    const precious = join(home, 'precious');
    await writeFile(precious, 'precious');
    await symlink(precious, join(home, 'audit.jsonl'));
    expect(() => writeAudit(home, EVENT)).toThrow(/is a symbolic link/);
    expect(await readFile(precious, 'utf8')).toBe('precious');
    const open = await temporaryDirectory();
    chmodSync(open, 0o777);
    expect(() => writeAudit(open, EVENT)).toThrow(/may be written by other users/);
    expect(await readdir(open)).toEqual([]);
  });

  test('escapes what would steer a terminal', async () => {
    const home = await temporaryDirectory();
    writeAudit(home, { ...EVENT, pipeline: 'x\u009b\u202e\u001b[2J' });
    const text = await readFile(join(home, 'audit.jsonl'), 'utf8');
    expect(text).toMatch(/^[\u0020-\u007e]+\n$/);
    expect(JSON.parse(text)).toMatchObject({ pipeline: 'x\u009b\u202e\u001b[2J' });
  });

  test('begins anew when it is long, loses no line and keeps so many older ones', async () => {
    const home = await temporaryDirectory();
    const file = { home, name: 'audit.jsonl', maxBytes: 100, maxOlder: 100 };
    for (let index = 0; index < 50; index += 1) appendLine(file, `line ${index}`.padEnd(20));
    const names = await readdir(home);
    expect(names.length).toBeGreaterThan(5);
    const texts = await Promise.all(names.map((name) => readFile(join(home, name), 'utf8')));
    expect(texts.join('').match(/line \d+/g)).toHaveLength(50);
    for (const name of names) expect(statSync(join(home, name)).mode & 0o777).toBe(0o600);
    for (let index = 0; index < 20; index += 1) appendLine({ ...file, maxOlder: 2 }, 'x'.repeat(99));
    expect(await readdir(home)).toHaveLength(2);
  });
});
