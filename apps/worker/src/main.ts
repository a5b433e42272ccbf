import {
  DEFAULT_LOCK_DURATION_MS,
  guardOutput,
  isEmbedlineError,
  listenForStop,
  messageOf,
  VERSION,
} from '@embedline/core/base';
import { constants } from 'node:os';
import { Command, CommanderError, InvalidArgumentError } from 'commander';

const output = guardOutput(process.stdout);
guardOutput(process.stderr);

const program = new Command('embedline-worker')
  .version(VERSION)
  .description('Embeds batches from the queue and upserts them. Start as many as you like, on any machine.')
  .option(
    '--concurrency <n>',
    'inference processes; default: as many as are fastest here and fit into the memory, measured once',
    positiveInteger,
  )
  .option('--threads <n>', 'threads of each inference process; default: measured, or 1', positiveInteger)
  .option(
    '--micro-batch-tokens <n>',
    'tokens that go through the network together; default: measured, or 512',
    positiveInteger,
  )
  .option(
    '--grace <seconds>',
    'time for batches under way to end after SIGTERM; longer ones go back',
    positiveInteger,
    15,
  )
  .option(
    '--lock <seconds>',
    'hand a batch of this worker to another one when it has not been heard of for so long',
    lockSeconds,
    DEFAULT_LOCK_DURATION_MS / 1000,
  )
  .addHelpText(
    'after',
    `
Examples:
  embedline-worker                                        on the machine of the producer
  REDIS_URL=redis://queue:6379 QDRANT_URL=http://vectors:6333 embedline-worker --concurrency 4

Exit codes: 0 stopped when told to, 1 failed, 2 usage`,
  )
  .exitOverride();

try {
  program.parse();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exit(await printed(error.exitCode === 0 ? 0 : 2));
}

const options = program.opts<{
  concurrency?: number;
  threads?: number;
  microBatchTokens?: number;
  grace: number;
  lock: number;
}>();
// What could not be released in time must not hold the process.
process.exit(await main(options));

/** The exit code of help that was asked for, or of a command line that is not usable. */
async function printed(code: number): Promise<number> {
  await output.flush();
  if (output.failure === null) return code;
  process.stderr.write(`error: The output could not be written: ${output.failure}.\n`);
  return code === 0 ? 1 : code;
}

async function main({
  concurrency,
  threads,
  microBatchTokens,
  grace,
  lock,
}: typeof options): Promise<number> {
  // Help and version need none of this.
  const { createLogger, loadConfig } = await import('@embedline/core');
  const { runWorker } = await import('./worker-program.ts');
  let logger = createLogger({ name: 'embedline-worker', level: 'info' });
  try {
    const config = loadConfig();
    logger = createLogger({ name: 'embedline-worker', level: config.logLevel });
    using stop = listenForStop({
      // 128 and the number of the signal, as of any program that a signal ends.
      onSecond: (signal) => process.exit(128 + constants.signals[signal]),
    });
    await runWorker({
      config,
      logger,
      inference: { processes: concurrency, threadsPerProcess: threads, microBatchTokens },
      graceMs: grace * 1000,
      lockDurationMs: lock * 1000,
      // An ingest that started this worker ends when its own run is refused.
      onRefusal: (refusal) => {
        if (process.connected) process.send?.({ type: 'refusal', ...refusal });
      },
      stop: stop.signal,
    });
    logger.info('Worker has stopped');
    return 0;
  } catch (error) {
    logger.fatal({ err: error }, messageOf(error));
    return isEmbedlineError(error, 'USAGE') || isEmbedlineError(error, 'CONFIG_INVALID') ? 2 : 1;
  }
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('expected a whole number, 1 or more');
  return value;
}

/** Locks are renewed at half their time: below two seconds, a busy machine would lose them. */
function lockSeconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 2)
    throw new InvalidArgumentError('expected a whole number of seconds, 2 or more');
  return value;
}
