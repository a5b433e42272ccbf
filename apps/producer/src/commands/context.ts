import type { Readable, Writable } from 'node:stream';
import {
  acquireRedis,
  checkRedis,
  connectRedis,
  createBatchQueue,
  IMPATIENT,
  ObservedRuns,
  openVectorStore,
  redactSecrets,
  type Releasers,
  RunLedger,
  type BatchQueue,
  type Config,
  type Patience,
  type RedisConnection,
  type RedisLease,
  type VectorStore,
} from '@embedline/core';
import { safeText } from '../terminal/safe-text.ts';
import type { Style } from '../terminal/style.ts';

/** What every command gets: its configuration and its only ways to the outside. */
export interface CommandContext {
  readonly config: Config;
  /** Paths that a person typed are relative to this. */
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** For stdout. */
  readonly style: Style;
  /** For stderr. */
  readonly errorStyle: Style;
  /** Fires when a person wants to stop. */
  readonly signal: AbortSignal;
  /** Told to end at once everything that would outlive this process. */
  onSecondSignal(action: () => void): void;
}

/** Exit codes of every command. */
export const EXIT = Object.freeze({ done: 0, failed: 1, usage: 2, deadLetters: 3, interrupted: 130 });

export function printLine(stream: Writable, text: string): void {
  stream.write(`${text}\n`);
}

export function printJson(stream: Writable, value: object): void {
  stream.write(`${JSON.stringify(value)}\n`);
}

/** A line for people on stderr, whatever the command prints on stdout. */
export function notice(context: CommandContext, text: string): void {
  const { errorStyle, stderr } = context;
  printLine(stderr, errorStyle.yellow(redactSecrets(text).split('\n').map(safeText).join('\n')));
}

export async function openStore(
  context: CommandContext,
  releasers: Releasers,
  patience: Patience = IMPATIENT,
): Promise<VectorStore> {
  const onWarning = (text: string) => notice(context, text);
  return releasers.own(await openVectorStore(context.config, { onWarning, patience }));
}

/** The store for a command that writes nothing: it makes no files either. */
export async function openStoreForReading(
  context: CommandContext,
  releasers: Releasers,
  onWarning = (text: string) => notice(context, text),
): Promise<VectorStore> {
  return releasers.own(await openVectorStore(context.config, { onWarning, readOnly: true }));
}

/** Redis and what is kept in it, for the commands that need the queue or the runs. */
export interface RunServices {
  readonly lease: RedisLease;
  readonly redis: RedisConnection;
  readonly ledger: RunLedger;
  /** Runs as people should see them. */
  readonly runs: ObservedRuns;
  readonly queue: BatchQueue;
}

export interface RunServicesOptions {
  /** Told what people should know. Defaults to a notice on stderr. */
  readonly report?: (text: string) => void;
  /** Whether the record of runs and the queue wait for a Redis that is away. Defaults to {@link IMPATIENT}. */
  readonly patience?: Patience;
}

/** A connection to Redis: the configured one, or the private one of this machine. Nothing is checked yet. */
export async function openRedis(
  { config, signal }: CommandContext,
  releasers: Releasers,
  report: (text: string) => void,
): Promise<Pick<RunServices, 'lease' | 'redis'>> {
  const lease = await acquireRedis({
    dataDirectory: config.dataDirectory,
    url: config.redisUrl ?? undefined,
    access: config.redisAccess,
    prefix: config.prefix,
    noInstall: config.noInstall,
    announce: report,
    signal,
  });
  releasers.add(() => lease.close());
  const redis = connectRedis({
    url: lease.url,
    access: config.redisAccess,
    role: 'producer',
    name: 'embedline',
    onError: report,
  });
  releasers.add(() => redis.disconnect());
  return { lease, redis };
}

/** @throws EmbedlineError REDIS_UNREACHABLE, REDIS_NOT_INSTALLED, REDIS_UNSUITABLE */
export async function openRunServices(
  context: CommandContext,
  releasers: Releasers,
  options: RunServicesOptions = {},
): Promise<RunServices> {
  const { report = (text: string) => notice(context, text), patience = IMPATIENT } = options;
  const { lease, redis } = await openRedis(context, releasers, report);
  const { prefix } = context.config;
  for (const warning of await checkRedis(redis, { prefix })) report(warning);
  const ledger = new RunLedger({ redis, prefix, patience });
  const runs = new ObservedRuns({ ledger, redis, prefix, ...settling(context) });
  const onRefused = (reason: string | null) =>
    report(reason === null ? 'Redis takes jobs again.' : `${reason}: waiting.`);
  const queue = releasers.own(createBatchQueue({ connection: redis, prefix, onRefused, patience }));
  return { lease, redis, ledger, runs, queue };
}

/** A private Redis is up for as long as anybody uses it: what a producer of it left behind was not just away. */
export function settling({ config }: CommandContext): { settleMs?: number } {
  return config.redisUrl === null ? { settleMs: 0 } : {};
}
