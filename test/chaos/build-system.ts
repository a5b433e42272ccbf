import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunLedger, type Generation, type Releasers, type VectorStore } from '@embedline/core';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { startHttpProxy, type HttpProxy } from '../support/http-proxy.ts';
import { forkQdrantDouble } from '../support/qdrant-double/forked.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { unpackReleaseInto, type Release } from '../support/unpack-release.ts';
import type { ChaosOptions } from './run-chaos.ts';
import { writeModels } from './side-models.ts';
import { AMPLE } from './store-faults.ts';
import { MAIN_PIPELINE, type ChaosSystem } from './system.ts';
import { WorkerFleet } from './worker-fleet.ts';

const PREFIX = '{chaos}';

/** Redis, the store, the workers and what stands between them, all of it for one run of the runner. */
export async function buildSystem(options: ChaosOptions, random: () => number, releasers: Releasers) {
  const directory = await mkdtemp(join(tmpdir(), 'embedline-chaos-'));
  releasers.add(() => rm(directory, { recursive: true, force: true }));
  const redis = releasers.own(await startRedisServer(directory));
  const wire = releasers.own(await startTcpProxy(redis.port));
  const admin = redis.connect();
  releasers.add(() => admin.disconnect());
  const { store, qdrant, ...place } = await openStore(options, directory, releasers);
  const { lockDurationMs = 2_000 } = options;
  const models = join(directory, 'models');
  await writeModels(models);
  const log = join(directory, 'embedded.log');
  await writeFile(log, '');
  const env = {
    ...process.env,
    REDIS_URL: redis.url.replace(String(redis.port), String(wire.port)),
    EMBEDLINE_PREFIX: PREFIX,
    EMBEDLINE_HOME: directory,
    EMBEDLINE_MODELS: models,
    PACED_LOG: log,
    PACED_MS_PER_TEXT: String(options.msPerText),
    PACED_LOCK_MS: String(lockDurationMs),
    ...(qdrant === null ? {} : { QDRANT_URL: qdrant.url }),
  };
  const fleet = releasers.own(new WorkerFleet(options.workers, env));
  const ledger = new RunLedger({ redis: admin, prefix: PREFIX });
  let release: Promise<Release> | null = null;
  const unpack = async () => {
    const place = join(directory, 'older-release');
    await mkdir(place);
    return unpackReleaseInto(place, '0.1.0');
  };
  let collections = 0;
  const system: ChaosSystem = {
    fleet,
    redis,
    wire,
    admin,
    ledger,
    store,
    env,
    directory,
    qdrant,
    lockDurationMs,
    random,
    ...place,
    prefix: PREFIX,
    olderRelease: () => (release ??= unpack()),
    nextCollection: () => `side-${(collections += 1)}`,
  };
  return { system, log };
}

async function openStore(
  { store: kind }: ChaosOptions,
  directory: string,
  releasers: Releasers,
): Promise<{
  store: VectorStore;
  qdrant: HttpProxy | null;
  sqliteDirectory: string | null;
  ownDisk: boolean;
}> {
  if (kind === 'sqlite') {
    const sqliteDirectory = join(directory, 'vectors');
    await mkdir(sqliteDirectory);
    const ownDisk = mountOwnDisk(sqliteDirectory, releasers);
    const store = releasers.own(await openSqliteStore({ directory: sqliteDirectory }));
    return { store, qdrant: null, sqliteDirectory, ownDisk };
  }
  const [url, apiKey] = [process.env['QDRANT_TEST_URL'], process.env['QDRANT_TEST_API_KEY']];
  // A million points in this process would hold up what passes through the wires.
  const target = url ?? releasers.own(await forkQdrantDouble()).url;
  const qdrant = releasers.own(await startHttpProxy(target));
  const store = releasers.own(
    await openQdrantStore({ url: target, ...(apiKey === undefined ? {} : { apiKey }) }),
  );
  // Those of side runs that failed as well.
  const isOurs = ({ collection }: Generation) =>
    collection === MAIN_PIPELINE || /^side-\d+$/.test(collection);
  const drop = async () => {
    for (const generation of (await store.generations()).filter(isOurs))
      await store.dropGeneration(generation);
  };
  await drop();
  releasers.add(drop);
  return { store, qdrant, sqliteDirectory: null, ownDisk: false };
}

/** A file system of its own, so that there can be no room on it; only root may. */
function mountOwnDisk(directory: string, releasers: Releasers): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${AMPLE},mode=0700`, 'tmpfs', directory], {
      stdio: 'ignore',
    });
  } catch {
    return false;
  }
  releasers.add(() => void execFileSync('umount', ['-l', directory]));
  return true;
}
