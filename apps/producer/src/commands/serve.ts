import { availableParallelism } from 'node:os';
import { connectRedis, createLogger, EmbedlineError, Releasers, startIngestJobs } from '@embedline/core';
import { assertServable } from '../pipeline/assert-servable.ts';
import { loadConfigFile, type ConfigFile } from '../pipeline/config-file.ts';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import { runIngestProcess } from '../serve/ingest-process.ts';
import { EXIT, openRunServices, type CommandContext } from './context.ts';

export interface ServeFlags {
  readonly config?: string;
  readonly concurrency: number;
}

/**
 * `embedline serve`: runs ingests that are due or asked for, until it is stopped. Any number may run; each ingest is
 * done by one of them. @returns the exit code
 */
export async function serveCommand(flags: ServeFlags, context: CommandContext): Promise<number> {
  const file = await requireConfigFile(flags.config, context);
  await using releasers = new Releasers();
  const { config, signal } = context;
  const logger = createLogger({ name: 'embedline-serve', level: config.logLevel });
  const warn = (message: string) => logger.warn(message);
  const { lease, redis } = await openRunServices(context, releasers, { report: warn });
  const connection = connectRedis({
    url: lease.url,
    access: config.redisAccess,
    role: 'worker',
    name: 'embedline-serve',
    onError: warn,
  });
  releasers.add(() => connection.disconnect());
  const jobs = startIngestJobs({
    redis,
    connection,
    prefix: config.prefix,
    concurrency: flags.concurrency,
    execute: async (request, options) => {
      const pipeline = await servable(request.pipeline, file.path, context);
      logger.info({ pipeline: request.pipeline, kind: request.kind }, 'Ingest begins');
      const local = config.redisUrl === null ? availableParallelism() : undefined;
      const workers = pipeline.workers ?? local;
      return runIngestProcess(request, { ...options, configPath: file.path, redisUrl: lease.url, workers });
    },
    onError: warn,
    onResult: ({ pipeline }, result) => logger.info({ pipeline, ...result }, `Ingest ${result.outcome}`),
  });
  // An ingest that is told to stop has ended after fifteen seconds.
  releasers.add(() => jobs.close(), { deadlineMs: 17_000 });
  logger.info({ pipelines: [...file.pipelines.keys()] }, 'Serving');
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  return EXIT.done;
}

/** As the file says now: it may have been edited since the server was started. */
async function servable(name: string, path: string, { cwd }: CommandContext): Promise<PipelineDefinition> {
  const pipeline = (await loadConfigFile(cwd, path))?.pipelines.get(name);
  if (pipeline === undefined)
    throw new EmbedlineError('USAGE', `${path} has no pipeline ${JSON.stringify(name)}.`);
  assertServable(pipeline);
  return pipeline;
}

/** @throws EmbedlineError USAGE when there is none */
export async function requireConfigFile(
  named: string | undefined,
  { cwd }: CommandContext,
): Promise<ConfigFile> {
  const file = await loadConfigFile(cwd, named);
  if (file !== null) return file;
  throw new EmbedlineError(
    'USAGE',
    `There is no configuration file in ${cwd}. Write one with: embedline init`,
  );
}
