import type { RedisConnection } from '../redis/connection.ts';
import { ifAllowed } from '../redis/rights.ts';
import { z } from 'zod';
import { newerVersionOfStored, parseStored } from '../redis/stored-value.ts';
import { runKeys } from '../run/run-keys.ts';
import { storedTimeMs } from '../stored-numbers.ts';
import { ingestRequestSchema } from './ingest-request.ts';
import type { ConfigFileSource } from './schedule-record.ts';

/** A server, and the pipelines that its configuration file has. */
export interface Server extends ConfigFileSource {
  readonly id: string;
  readonly pipelines: readonly string[];
}

/** A server that was not seen for so long is gone: it looks at its file every minute. */
const GONE_AFTER_MS = 180_000;

/** Of the format of a server's entry; see docs/formats.md. */
const SERVER_VERSION = 1;

const storedSchema = z.looseObject({
  version: z.literal(SERVER_VERSION),
  host: z.string().max(255),
  path: z.string().max(4096),
  pipelines: z.array(ingestRequestSchema.shape.pipeline).max(10_000),
  seenMs: storedTimeMs,
});
/** Of 10,000 pipelines with the longest names. */
const MAX_CHARACTERS = 2 * 1024 * 1024;

/** Says that a server is there. To be repeated every minute. */
export async function announceServer(
  redis: RedisConnection,
  prefix: string,
  { id, host, path, pipelines }: Server,
  nowMs: number,
): Promise<void> {
  const stored: z.infer<typeof storedSchema> = {
    version: SERVER_VERSION,
    host,
    path,
    pipelines: [...pipelines],
    seenMs: nowMs,
  };
  await redis.hset(runKeys(prefix).servers, id, JSON.stringify(stored));
}

export async function withdrawServer(redis: RedisConnection, prefix: string, id: string): Promise<void> {
  await redis.hdel(runKeys(prefix).servers, id);
}

/** Servers that were seen lately; those that were not are forgotten. What a newer version wrote is its own to forget. */
export async function listServers(redis: RedisConnection, prefix: string, nowMs: number): Promise<Server[]> {
  const { servers: key } = runKeys(prefix);
  const servers: Server[] = [];
  for (const [id, text] of Object.entries(await redis.hgetall(key))) {
    const stored = parseStored(text, storedSchema, MAX_CHARACTERS);
    if (newerVersionOfStored(text, SERVER_VERSION, MAX_CHARACTERS) !== null) continue;
    if (stored === null || nowMs - stored.seenMs > GONE_AFTER_MS) await ifAllowed(redis.hdel(key, id));
    else servers.push({ id, host: stored.host, path: stored.path, pipelines: stored.pipelines });
  }
  return servers;
}
