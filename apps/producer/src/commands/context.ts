import {
  acquireRedis,
  checkRedis,
  connectRedis,
  createBatchQueue,
  IMPATIENT,
  ObservedRuns,
  redactUrl,
  type Releasers,
  RunLedger,
  signingKeysFor,
  throttle,
  type BatchQueue,
  type Patience,
  type RedisConnection,
  type RedisLease,
  type UnreadableRun,
  type SigningKeys,
} from '@embedline/core';
import type { CommandContext } from './command-context.ts';
import { notice } from './printing.ts';

export type { CommandContext } from './command-context.ts';
export { EXIT } from './exit-codes.ts';
export { openStore, openStoreForReading } from './open-store.ts';
export { notice, printJson, printLine } from './printing.ts';

/** Redis and what is kept in it, for the commands that need the queue or the runs. */
export interface RunServices {
  readonly lease: RedisLease;
  readonly redis: RedisConnection;
  readonly ledger: RunLedger;
  /** Runs as people should see them. */
  readonly runs: ObservedRuns;
  readonly queue: BatchQueue;
  /** What lists of runs have left out so far, by run. */
  readonly unreadable: ReadonlyMap<string, UnreadableRun>;
  /** Null where nothing is signed. */
  readonly signingKeys: SigningKeys | null;
}

export interface RunServicesOptions {
  /** Told what people should know. Defaults to a notice on stderr. */
  readonly report?: (text: string) => void;
  /** Whether the record of runs and the queue wait for a Redis that is away. Defaults to {@link IMPATIENT}. */
  readonly patience?: Patience;
  /** Install Redis if it is missing and the user allows it. Defaults to false, so that reading commands install nothing. */
  readonly mayInstall?: boolean;
}

/** A connection to Redis: the configured one, or the private one of this machine. Nothing is checked yet. */
export async function openRedis(
  { config, signal }: CommandContext,
  releasers: Releasers,
  report: (text: string) => void,
  { mayInstall = false }: Pick<RunServicesOptions, 'mayInstall'> = {},
): Promise<Pick<RunServices, 'lease' | 'redis'>> {
  using _ = tellWaiting(config.redisUrl, report);
  const lease = await acquireRedis({
    dataDirectory: config.dataDirectory,
    url: config.redisUrl ?? undefined,
    access: config.redisAccess,
    prefix: config.prefix,
    noInstall: config.noInstall || !mayInstall,
    announce: report,
    signal,
  });
  releasers.add(() => lease.close());
  const warn = throttle(30_000, report);
  const redis = connectRedis({
    url: lease.url,
    access: config.redisAccess,
    role: 'producer',
    name: 'embedline',
    onError: (message) => warn(message, 'redis'),
  });
  releasers.add(endWithStop(redis, signal));
  return { lease, redis };
}

/** A Redis that answers does so sooner; whether one answers at all is known after some seconds. */
const ANSWERS_WITHIN_MS = 1_500;

/** Says what a command waits for while Redis does not answer. */
function tellWaiting(url: string | null, report: (text: string) => void): Disposable {
  const tell = () =>
    report(`Redis at ${redactUrl(url ?? '')} has not answered yet: waiting some seconds more.`);
  const timer = url === null ? undefined : setTimeout(tell, ANSWERS_WITHIN_MS);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** After a stop, a Redis that is away is not waited for, and one that does not answer not for long. */
const AWAY_MS = 1_000;
const SILENT_MS = 9_000;

/** @returns ends the connection */
function endWithStop(redis: RedisConnection, signal: AbortSignal): () => void {
  const timers: NodeJS.Timeout[] = [];
  const onStop = () => {
    timers.push(
      setTimeout(() => redis.status !== 'ready' && redis.disconnect(), AWAY_MS).unref(),
      setTimeout(() => redis.disconnect(), SILENT_MS).unref(),
    );
  };
  signal.addEventListener('abort', onStop, { once: true });
  return () => {
    signal.removeEventListener('abort', onStop);
    timers.forEach(clearTimeout);
    redis.disconnect();
  };
}

/** @throws EmbedlineError REDIS_UNREACHABLE, REDIS_NOT_INSTALLED, REDIS_UNSUITABLE */
export async function openRunServices(
  context: CommandContext,
  releasers: Releasers,
  options: RunServicesOptions = {},
): Promise<RunServices> {
  const { report = (text: string) => notice(context, text), patience = IMPATIENT } = options;
  const { lease, redis } = await openRedis(context, releasers, report, options);
  const { prefix } = context.config;
  for (const warning of await checkRedis(redis, { prefix })) report(warning);
  const unreadable = new Map<string, UnreadableRun>();
  const onUnreadable = (found: UnreadableRun) => void unreadable.set(found.runId, found);
  const signingKeys = signingKeysFor(context.config, lease);
  const ledger = new RunLedger({ redis, prefix, patience, onUnreadable, signingKeys });
  const runs = new ObservedRuns({ ledger, redis, prefix, ...settling(context) });
  const onRefused = (reason: string | null) =>
    report(reason === null ? 'Redis takes jobs again.' : `${reason}: waiting.`);
  const queue = releasers.own(
    createBatchQueue({ connection: redis, prefix, onRefused, patience, signingKeys }),
    // BullMQ waits for a connection that has ended; there is nothing of its own to close.
    { deadlineMs: 1_000 },
  );
  return { lease, redis, ledger, runs, queue, unreadable, signingKeys };
}

/** A private Redis is up for as long as anybody uses it: what a producer of it left behind was not just away. */
export function settling({ config }: CommandContext): { settleMs?: number } {
  return config.redisUrl === null ? { settleMs: 0 } : {};
}
