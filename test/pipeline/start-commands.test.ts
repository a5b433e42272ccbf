import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { connectedWorkers, RunLedger, VERSION } from '@embedline/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const PRODUCER = fileURLToPath(new URL('../../apps/producer/bin/embedline.mjs', import.meta.url));
const WORKER = fileURLToPath(new URL('../../apps/worker/bin/embedline-worker.mjs', import.meta.url));

test('a command is one process: the program takes the place of what starts it', async () => {
  const { bench, command, workers } = await startedWorker('ignore');
  expect((await workers())[0]?.pid).toBe(command.pid);
  const exited = once(command, 'exit');
  command.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(await connectedWorkers(testRedis(), bench.prefix)).toEqual([]);
});

/** As an older Node starts it, which cannot give its place away: so does one that has a channel to its parent. */
describe('a launcher that cannot give its place away', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)('takes its program along when it gets %s', async (signal) => {
    const { command, workers } = await startedWorker('ipc');
    const [worker] = await workers();
    expect(worker?.pid).not.toBe(command.pid);
    command.kill(signal);
    await until('the worker has left', async () => (await workers()).length === 0);
    await until('its process has ended', () => !isAlive(worker?.pid ?? 0));
  });

  test('ends with 137 when its program was killed', async () => {
    const { command, workers } = await startedWorker('ipc');
    const exited = once(command, 'exit');
    process.kill((await workers())[0]?.pid ?? 0, 'SIGKILL');
    expect(await exited).toEqual([137, null]);
  });
});

test.each([
  ['one process', 'ignore', 'SIGINT'],
  ['one process', 'ignore', 'SIGTERM'],
  ['a launcher and its program', 'ipc', 'SIGINT'],
  ['a launcher and its program', 'ipc', 'SIGTERM'],
] as const)('%s (%s): one %s to the whole group marks the run interrupted', async (_, channel, signal) => {
  const bench = await testBench();
  const command = spawn(
    process.execPath,
    [PRODUCER, 'ingest', '-', '--collection', 'docs', '--workers', '0'],
    {
      env: bench.env,
      cwd: bench.directory,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore', channel],
    },
  );
  onTestFinished(() => void command.kill('SIGKILL'));
  command.stdin?.write('{"id":"a","text":"x"}\n');
  const ledger = new RunLedger({ redis: testRedis(), prefix: bench.prefix });
  const runs = () => ledger.list();
  await until('the run has begun', async () => (await runs())[0]?.state === 'running');
  const exited = once(command, 'exit');
  process.kill(-(command.pid ?? 0), signal);
  expect(await exited).toEqual([130, null]);
  expect((await runs())[0]).toMatchObject({ state: 'interrupted', message: `stopped by ${signal}` });
});

test.each([PRODUCER, WORKER])('%s says its version', async (program) => {
  const { env } = await testBench();
  const command = spawn(process.execPath, [program, '--version'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(await text(command.stdout)).toBe(`${VERSION}\n`);
});

test('what Node has compiled is kept for the next start', async () => {
  const tell = 'import { getCompileCacheDir as dir } from "node:module"; console.error(`cache ${dir()}`);';
  const { env } = await testBench({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}`,
  });
  delete env['NODE_COMPILE_CACHE'];
  const command = spawn(process.execPath, [PRODUCER, '--help'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said = await text(command.stderr);
  expect(said).toContain('cache undefined');
  expect(said).toMatch(/^cache .*\/node_modules\/\.cache\/embedline\/compiled\//m);
});

async function startedWorker(channel: 'ignore' | 'ipc') {
  const bench = await testBench();
  const redis = testRedis();
  const command = spawn(process.execPath, [WORKER], {
    env: bench.env,
    stdio: ['ignore', 'ignore', 'ignore', channel],
  });
  onTestFinished(() => void command.kill('SIGKILL'));
  const workers = () => connectedWorkers(redis, bench.prefix);
  await until('the worker is known', async () => (await workers()).length === 1);
  return { bench, command, workers };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test.each([
  ['--help', /commander/, /zod|ioredis|bullmq|pino|onnxruntime|sqlite|qdrant/],
  ['search', /zod.*sqlite-vec/s, /ioredis|bullmq|pino|qdrant|cron-parser|@huggingface\/transformers/],
])('%s loads what it needs, and nothing else', async (command, needed, spared) => {
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ resolve: (name, context, next) => (process.stderr.write('needs ' + name + '\\n'), next(name, context)) });`;
  const bench = await testBench({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}`,
  });
  const { stderr } = await bench.run(
    command === 'search' ? ['search', 'x', '--collection', 'docs'] : [command],
  );
  expect(stderr).toMatch(needed);
  expect(stderr).not.toMatch(spared);
});
