import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RunLedger } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { jsonl, testBench, type TestBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';

const PRODUCER = fileURLToPath(new URL('../../apps/producer/src/main.ts', import.meta.url));
const WORKER = fileURLToPath(new URL('../../apps/worker/src/main.ts', import.meta.url));
const hasFullDevice = existsSync('/dev/full');

/** Runs a command line of a shell in which $EMBEDLINE and $WORKER are the programs. */
async function shell(bench: TestBench, script: string, stdin = '') {
  const child = spawn('bash', ['-c', script], {
    cwd: bench.directory,
    env: {
      ...bench.env,
      EMBEDLINE: `${process.execPath} ${PRODUCER}`,
      WORKER: `${process.execPath} ${WORKER}`,
    },
    stdio: 'pipe',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (block: Buffer) => (stdout += block.toString()));
  child.stderr.on('data', (block: Buffer) => (stderr += block.toString()));
  child.stdin.end(stdin);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

const corpus = jsonl(
  Array.from({ length: 5 }, (_, index) => ({ id: `d${index}`, text: `text number ${index}` })),
);
const INGEST = '$EMBEDLINE ingest - --collection docs --workers 1';

describe('an ingest goes on to its end', () => {
  test.each<readonly [string, string, number]>([
    ['whose output nobody reads any more', `${INGEST} 2>&1 | head -c 1; exit \${PIPESTATUS[0]}`, 0],
    [
      'whose lines nobody reads any more',
      `${INGEST} --json | head -n 1 >/dev/null; exit \${PIPESTATUS[0]}`,
      0,
    ],
    ['whose messages are closed', `${INGEST} 2>&-`, 0],
    ...(hasFullDevice
      ? ([
          ['whose messages find no space', `${INGEST} 2>/dev/full`, 0],
          ['whose summary finds no space', `${INGEST} >/dev/full`, 0],
          ['whose lines find no space, and says so', `${INGEST} --json >/dev/full`, 1],
        ] as const)
      : []),
  ])('%s', async (_, script, expected) => {
    const bench = await testBench();
    const { code, stderr } = await shell(bench, script, corpus);
    expect({ code, stderr }).toMatchObject({ code: expected });
    if (script.includes('>/dev/full') && !script.includes('2>'))
      expect(stderr).toContain(
        'error: The output could not be written: no space is left on its device (ENOSPC).',
      );
    const [run] = await new RunLedger({ redis: testRedis(), prefix: bench.prefix }).list();
    expect(run).toMatchObject({ state: 'done', workers: { chunksEmbedded: 5 } });
  });
});

describe('a command whose exit code says what it found keeps it', () => {
  const unread = (command: string) => `$EMBEDLINE ${command} | true; exit \${PIPESTATUS[0]}`;
  test.each<readonly [string, string, number]>([
    ['doctor, of a Redis that is away', `REDIS_URL=redis://127.0.0.1:1 ${unread('doctor')}`, 1],
    ['plan, of a corpus that is not there', unread('plan ./nothing --collection docs --json'), 1],
    ['search, in a collection that is not there', unread('search x --collection none --json'), 1],
    ['verify, of a collection that is not there', unread('verify ./ --collection none --json'), 1],
  ])('unread: %s', async (_, script, expected) => {
    const { code, stderr } = await shell(await testBench(), script);
    expect({ code, stderr }).toMatchObject({ code: expected });
    expect(stderr).not.toContain('    at ');
  });

  test.runIf(hasFullDevice)('a report of verify that finds no space is a failure', async () => {
    const bench = await testBench();
    const script = `cat >d.jsonl; $EMBEDLINE ingest d.jsonl --collection docs --workers 1 >&2 && $EMBEDLINE verify d.jsonl --collection docs`;
    expect((await shell(bench, script, corpus)).code).toBe(0);
    const { code, stderr } = await shell(bench, `${script} >/dev/full`, corpus);
    expect(code).toBe(1);
    expect(stderr).toContain('error: The output could not be written');
  });
});

describe('a command that only prints', () => {
  test.each([
    ['--help', 0],
    ['status --watch', 0],
    ['doctor', 0],
  ])('%s ends quietly when nobody reads it', async (command, expected) => {
    const bench = await testBench();
    const { code, stderr } = await shell(bench, `$EMBEDLINE ${command} | true; exit \${PIPESTATUS[0]}`);
    expect({ code, stderr }).toEqual({ code: expected, stderr: '' });
  });

  test.runIf(hasFullDevice).each(['--help', '--version', 'status', 'status --json', 'collections list'])(
    '%s fails when there is no space for it',
    async (command) => {
      const bench = await testBench();
      const { code, stderr } = await shell(bench, `$EMBEDLINE ${command} >/dev/full`);
      expect(stderr).toContain('error: The output could not be written: no space is left');
      expect(code).toBe(1);
    },
  );
});

test.runIf(hasFullDevice)('a worker whose log finds no space works on until it is stopped', async () => {
  const bench = await testBench();
  const script = `$WORKER --concurrency 1 2>/dev/full & worker=$!
    $EMBEDLINE ingest - --collection docs --workers 0 --json >/dev/null; code=$?
    kill $worker; wait $worker; exit $((code * 10 + $?))`;
  expect((await shell(bench, script, corpus)).code).toBe(0);
});
