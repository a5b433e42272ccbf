import {
  connectedWorkers,
  type ConnectedWorker,
  type Finding,
  type RedisConnection,
  type SigningKeys,
  type VectorStore,
} from '@embedline/core';
import type { CommandContext } from '../commands/context.ts';
import type { ConfigFile } from '../pipeline/config-file.ts';

/** What checks look at. Services are opened once, by whichever check asks first. */
export interface Surroundings {
  readonly context: CommandContext;
  /** The configuration file; null when there is none. Rejects with what is wrong with it. */
  readonly file: () => Promise<ConfigFile | null>;
  /** Rejects with the reason when Redis is not there. */
  readonly redis: () => Promise<RedisConnection>;
  /** Those of the environment or of the private Redis; null for none. Rejects when Redis is not there. */
  readonly signingKeys: () => Promise<SigningKeys | null>;
  /** Rejects with the reason when the store is not there. */
  readonly store: () => Promise<VectorStore>;
}

/**
 * One subject of `embedline doctor`. To add one, write a file beside this one and name it in checks.ts. What is thrown
 * becomes a problem with the error's message, which says what to do.
 */
export interface Check {
  /** For the finding of an error; findings have names of their own. */
  readonly name: string;
  readonly examine: (surroundings: Surroundings) => Promise<readonly Finding[]>;
}

/** For a check that needs Redis to say anything: nothing without it, since the check of Redis itself says why. */
export async function withRedis(
  { redis }: Surroundings,
  examine: (redis: RedisConnection) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const connection = await redis().catch(() => null);
  return connection === null ? [] : examine(connection);
}

/** Workers that are connected now; none when Redis is not there. */
export async function workersOf(
  redis: RedisConnection,
  { context }: Surroundings,
): Promise<ConnectedWorker[]> {
  return connectedWorkers(redis, context.config.prefix);
}
