import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import {
  checkRedis,
  connectRedis,
  createLogger,
  EmbedlineError,
  Releasers,
  signingEnvironment,
  signingKeysFor,
  startIngestJobs,
  type Logger,
  type RedisConnection,
  type RedisLease,
} from '@embedline/core';
import { assertServable } from '../pipeline/assert-servable.ts';
import { loadConfigFile, type ConfigFile } from '../pipeline/config-file.ts';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import { Programs } from '../pipeline/programs.ts';
import { failureReport } from '../serve/failure-report.ts';
import { FailureHooks } from '../serve/failure-hooks.ts';
import { runIngestProcess } from '../serve/ingest-process.ts';
import { keepInStep } from '../serve/keep-in-step.ts';
import { limitLines } from '../serve/limit-lines.ts';
import { allowAll, ServedFile } from '../serve/served-file.ts';
import { waitForRedis } from '../serve/wait-for-redis.ts';
import { EXIT, openRedis, type CommandContext } from './context.ts';

export interface ServeFlags {
  readonly config?: string;
  readonly concurrency: number;
  /** False: run nothing that the configuration file brings along. */
  readonly commands?: boolean;
}

/** Together below 20: what a server says of an outage, and what its ingests say. */
const WARNINGS_A_MINUTE = 9;
const INGEST_LINES_A_MINUTE = 7;

/**
 * `embedline serve`: keeps the schedules in step with the configuration file and runs ingests that are due or asked for, until it
 * is stopped. Any number may run; each ingest is done by one of them. What goes wrong with an ingest is no failure of the
 * server's. @returns the exit code
 */
export async function serveCommand(flags: ServeFlags, context: CommandContext): Promise<number> {
  const { config, signal } = context;
  const logger = createLogger({ name: 'embedline-serve', level: config.logLevel });
  await using releasers = new Releasers();
  const limited = limitLines({ perMinute: WARNINGS_A_MINUTE, report: (line) => logger.warn(line) });
  releasers.add(() => limited.close());
  const programs = new Programs({
    forbidden: flags.commands === false,
    tell: (text) => logger.info(text),
  });
  const read = await requireConfigFile(flags.config, context, programs);
  allowAll(read, programs);
  const file = new ServedFile(read, limited.add, programs);
  const services = await waitForRedis(() => openServices(context, releasers, limited.add), {
    warn: limited.add,
    signal,
  });
  if (services === null) return EXIT.done;
  const { lease, redis } = services;
  startServing({ flags, context, releasers, logger, warn: limited.add, file, lease, redis });
  logger.info({ pipelines: [...file.file.pipelines.keys()] }, 'Serving');
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  return EXIT.done;
}

/** A connection to a Redis that can be used. @throws EmbedlineError that is retryable when that may pass by itself */
async function openServices(context: CommandContext, releasers: Releasers, warn: (message: string) => void) {
  const services = await openRedis(context, releasers, warn, { mayInstall: true });
  try {
    for (const text of await checkRedis(services.redis, { prefix: context.config.prefix })) warn(text);
    return services;
  } catch (error) {
    services.redis.disconnect();
    throw error;
  }
}

interface Serving {
  readonly flags: ServeFlags;
  readonly context: CommandContext;
  readonly releasers: Releasers;
  readonly logger: Logger;
  readonly warn: (message: string) => void;
  readonly file: ServedFile;
  readonly lease: RedisLease;
  readonly redis: RedisConnection;
}

function startServing({ flags, context, releasers, logger, warn, file, lease, redis }: Serving): void {
  const { config } = context;
  const connection = connectRedis({
    url: lease.url,
    access: config.redisAccess,
    role: 'worker',
    name: 'embedline-serve',
    onError: warn,
  });
  releasers.add(() => connection.disconnect());
  const hooks = new FailureHooks({
    onTold: (pipeline) => logger.info({ pipeline }, 'onFailure was told'),
    onError: warn,
  });
  releasers.add(() => hooks.close());
  const said = limitLines({ perMinute: INGEST_LINES_A_MINUTE, report: (line) => logger.warn(line) });
  releasers.add(() => said.close());
  const signingKeys = signingKeysFor(config, lease);
  const kept = keepInStep({
    config,
    signingKeys,
    redis,
    file,
    onChange: (message) => logger.info(message),
    onError: warn,
  });
  releasers.add(() => kept.close());
  const jobs = startIngestJobs({
    redis,
    connection,
    prefix: config.prefix,
    concurrency: flags.concurrency,
    signingKeys,
    serves: (pipeline) => file.file.pipelines.has(pipeline),
    execute: async (request, options) => {
      const before = file.file;
      const pipeline = servable(request.pipeline, await file.reload());
      if (file.file !== before) kept.look();
      logger.info({ pipeline: request.pipeline, kind: request.kind }, 'Ingest begins');
      const local = config.redisUrl === null ? availableParallelism() : undefined;
      return runIngestProcess(request, {
        ...options,
        configPath: file.file.path,
        noCommands: flags.commands === false,
        onAudit: ({ type: _type, ...record }) =>
          logger.info({ audit: record }, `Audit: ${String(record['action'])}`),
        environment: { REDIS_URL: lease.url, ...signingEnvironment(config, lease) },
        workers: pipeline.workers ?? local,
        say: (line) => said.add(`${request.pipeline}: ${line}`),
        sayLast: (lines) => logger.warn({ pipeline: request.pipeline, lines }, 'What the failed ingest said'),
      });
    },
    onError: warn,
    onResult: (request, result, execution) => {
      if (result.scheduledForMs !== null) kept.noteServed(request.pipeline, result.scheduledForMs);
      const level = result.outcome === 'failed' ? 'warn' : 'info';
      logger[level]({ pipeline: request.pipeline, ...result }, `Ingest ${result.outcome}`);
      const report = failureReport(request, result, execution);
      const definition = file.file.pipelines.get(request.pipeline);
      const hook =
        definition?.schedule?.onFailure === undefined ? file.file.onFailure : definition.schedule.onFailure;
      if (report === null || hook === null || (report.reason === 'dead-letters' && !hook.deadLetters)) return;
      hooks.tell(hook, report, dirname(file.file.path));
    },
  });
  // An ingest that is told to stop has ended after eleven seconds.
  releasers.add(() => jobs.close(), { deadlineMs: 17_000 });
}

/** The definition of a pipeline that a server can run. @throws EmbedlineError USAGE */
function servable(name: string, { path, pipelines }: ConfigFile): PipelineDefinition {
  const pipeline = pipelines.get(name);
  if (pipeline === undefined)
    throw new EmbedlineError('USAGE', `${path} has no pipeline ${JSON.stringify(name)}.`);
  assertServable(pipeline);
  return pipeline;
}

/** @throws EmbedlineError USAGE when there is none */
export async function requireConfigFile(
  named: string | undefined,
  { cwd }: CommandContext,
  programs?: Programs,
): Promise<ConfigFile> {
  const file = await loadConfigFile(cwd, named, programs);
  if (file !== null) return file;
  throw new EmbedlineError(
    'USAGE',
    `There is no configuration file in ${cwd}. Write one with: embedline init`,
  );
}
