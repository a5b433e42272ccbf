import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { connectedWorkers, VERSION } from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { testBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const PRODUCER = fileURLToPath(new URL('../../apps/producer/bin/embedline.mjs', import.meta.url));
const WORKER = fileURLToPath(new URL('../../apps/worker/bin/embedline-worker.mjs', import.meta.url));

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'a command that gets %s takes the program along that it has started',
  async (signal) => {
    const bench = await testBench();
    const redis = testRedis();
    const command = spawn(process.execPath, [WORKER], { env: bench.env, stdio: 'ignore' });
    onTestFinished(() => void command.kill('SIGKILL'));
    const workers = () => connectedWorkers(redis, bench.prefix);
    await until('the worker is known', async () => (await workers()).length === 1);
    const [worker] = await workers();
    expect(worker?.pid).not.toBe(command.pid);
    command.kill(signal);
    await until('the worker has left', async () => (await workers()).length === 0);
    await until('its process has ended', () => !isAlive(worker?.pid ?? 0));
  },
);

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

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
