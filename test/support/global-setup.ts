import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startRedisServer } from './redis-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A real Redis for the whole run, found or installed as the product does it. */
    redisUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'embedline-test-redis-'));
  const server = await startRedisServer(directory);
  project.provide('redisUrl', server.url);
  return async () => {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  };
}
