import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connectedWorkers } from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { testBench } from '../support/cli.ts';
import { testRedis } from '../support/redis.ts';
import { until } from '../support/temporary.ts';

const COMMAND = fileURLToPath(new URL('../../apps/worker/bin/embedline-worker.mjs', import.meta.url));

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'a command that gets %s takes the program along that it has started',
  async (signal) => {
    const bench = await testBench();
    const redis = testRedis();
    const command = spawn(process.execPath, [COMMAND], { env: bench.env, stdio: 'ignore' });
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

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
