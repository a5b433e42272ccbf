import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { acquireRedis } from '@embedline/core';

declare module 'vitest' {
  interface ProvidedContext {
    /** A real Redis for the whole run, found or installed as the product does it. */
    redisUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'embedline-test-redis-'));
  const lease = await acquireRedis({
    dataDirectory: directory,
    noInstall: process.env['EMBEDLINE_NO_INSTALL'] === '1',
    announce: (message) => process.stderr.write(`${message}\n`),
  });
  project.provide('redisUrl', lease.url);
  return async () => {
    await lease.close();
    await rm(directory, { recursive: true, force: true });
  };
}
