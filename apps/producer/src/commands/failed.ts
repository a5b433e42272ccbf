import { availableParallelism } from 'node:os';
import {
  EmbedlineError,
  Releasers,
  type DeadLetter,
  type ObservedRuns,
  type RunLedger,
  type RunProgress,
} from '@embedline/core';
import { startLocalWorkers, type LocalWorkers } from '../ingest/local-workers.ts';
import { retryFailed } from '../ingest/retry-failed.ts';
import { renderDeadLetters } from '../terminal/dead-letters.ts';
import { countOf } from '../terminal/format.ts';
import { renderSummary, summaryJson } from '../terminal/summary.ts';
import { audit } from './audit.ts';
import {
  EXIT,
  notice,
  openRunServices,
  openStore,
  printJson,
  printLine,
  type CommandContext,
  type RunServices,
} from './context.ts';
import { reportProgress } from './report-progress.ts';
import { tellUnreadableRuns } from './tell-unreadable-runs.ts';

export interface FailedFlags {
  readonly run?: string;
  /** The code of a cause, e.g. EMBEDDING_FAILED. */
  readonly cause?: string;
  readonly json?: true;
}

export interface RetryFlags extends FailedFlags {
  readonly workers?: number;
}

/** `embedline failed list`: what was given up on, grouped by cause. @returns the exit code */
export async function listFailed(flags: FailedFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const { ledger, runs, unreadable } = await openRunServices(context, releasers);
  const run = await chooseRun(runs, flags.run);
  tellUnreadableRuns(unreadable, context);
  const { runId } = run.spec;
  const letters = await lettersOf(run, flags, ledger);
  if (flags.json === true) {
    for (const letter of letters) printJson(context.stdout, { run: runId, ...letter });
    const missing = countLetters(run, letters, flags) - letters.length;
    if (missing > 0)
      notice(context, `Of ${countOf(missing, 'more dead letter')} of run ${runId}, only the number is kept.`);
  } else {
    printLine(
      context.stdout,
      renderDeadLetters(run, await ledger.deadLetters(runId), context.style, flags.cause),
    );
  }
  return EXIT.done;
}

/** `embedline failed retry`: tries the chunks again that were given up on. @returns the exit code */
export async function retryFailedCommand(flags: RetryFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const services = await openRunServices(context, releasers);
  const { ledger } = services;
  const failed = await chooseRun(services.runs, flags.run);
  const letters = await lettersOf(failed, flags, ledger);
  const all = await ledger.retryJobs(failed.spec.runId);
  const jobs = new Map([...all].filter(([key]) => letters.some((letter) => letter.key === key)));
  const left = countLetters(failed, letters, flags) - jobs.size;
  if (left > 0) notice(context, describeLeft(left, failed.spec.runId));
  if (jobs.size === 0) return finish(null, left, { flags, context });
  const store = await openStore(context, releasers);
  const json = flags.json === true;
  const progress = reportProgress({ context, services, json });
  releasers.add(() => progress.close());
  const run = await retryFailed({
    ...services,
    failed: failed.spec,
    jobs,
    store,
    prefix: context.config.prefix,
    startWorkers: ({ runId }) => workersFor(runId, flags, services, context),
    onStart: (spec) => progress.start(spec),
    signal: context.signal,
  });
  progress.close();
  return finish(run, left, { flags, context });
}

/** `embedline failed drop`: forgets dead letters, and the texts kept for trying again. @returns the exit code */
export async function dropFailed(flags: FailedFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const { ledger, runs, unreadable } = await openRunServices(context, releasers);
  const run = await chooseRun(runs, flags.run);
  tellUnreadableRuns(unreadable, context);
  const { runId } = run.spec;
  const letters = await lettersOf(run, flags, ledger);
  const keys = flags.cause === undefined ? 'all' : letters.map(({ key }) => key);
  const dropped = await ledger.dropDeadLetters(runId, keys, flags.cause);
  if (dropped > 0)
    audit(context, {
      action: 'dead-letters-dropped',
      command: 'failed drop',
      collection: run.spec.collection,
      pipeline: run.spec.pipeline,
      run: runId,
      counts: { deadLetters: dropped },
    });
  if (flags.json === true) printJson(context.stdout, { type: 'dropped', run: runId, deadLetters: dropped });
  else
    printLine(
      context.stdout,
      `Forgot ${countOf(dropped, 'dead letter')} of run ${runId}. An ingest of their documents tries them again.`,
    );
  return EXIT.done;
}

async function chooseRun(runs: ObservedRuns, runId: string | undefined): Promise<RunProgress> {
  const run =
    runId === undefined
      ? ((await runs.newestWithDeadLetters()) ?? (await runs.list({ limit: 1 }))[0])
      : await runs.find(runId);
  if (run !== null && run !== undefined) return run;
  throw new EmbedlineError(
    'RUN_NOT_FOUND',
    runId === undefined
      ? 'There are no runs yet.'
      : `There is no run ${JSON.stringify(runId)} in this Redis.`,
  );
}

async function lettersOf(
  { spec: { runId }, deadLettersByCode }: RunProgress,
  { cause }: FailedFlags,
  ledger: RunLedger,
): Promise<DeadLetter[]> {
  const letters = await ledger.deadLetters(runId);
  if (cause === undefined) return letters;
  const chosen = letters.filter(({ code }) => code === cause);
  if (chosen.length > 0 || (deadLettersByCode[cause] ?? 0) > 0) return chosen;
  const codes = [...new Set([...letters.map(({ code }) => code), ...Object.keys(deadLettersByCode)])].sort();
  throw new EmbedlineError(
    'USAGE',
    `Run ${runId} has no dead letters of cause ${JSON.stringify(cause)}; it has ${codes.join(', ') || 'none'}.`,
  );
}

/** Also those of which only the number is kept. */
function countLetters(run: RunProgress, letters: readonly DeadLetter[], { cause }: FailedFlags): number {
  const counted = cause === undefined ? run.deadLetters : (run.deadLettersByCode[cause] ?? 0);
  return Math.max(counted, letters.length);
}

function workersFor(
  runId: string,
  { workers: wanted }: RetryFlags,
  { lease }: RunServices,
  context: CommandContext,
): LocalWorkers | null {
  const { config } = context;
  const count = wanted ?? (config.redisUrl === null ? availableParallelism() : 0);
  if (count === 0) return null;
  const { modelsDirectory } = config;
  const workers = startLocalWorkers({ runId, count, config, lease, modelsDirectory });
  context.onSecondSignal(() => workers.kill());
  return workers;
}

function describeLeft(count: number, runId: string): string {
  return (
    `${countOf(count, 'dead letter')} of run ${runId} cannot be tried again from the queue: records that could not be read, ` +
    `texts older than a week, or more than are kept. Fix their source and ingest again.`
  );
}

function finish(
  run: RunProgress | null,
  left: number,
  { flags, context }: { readonly flags: RetryFlags; readonly context: CommandContext },
): number {
  if (run !== null && flags.json === true) printJson(context.stdout, summaryJson(run));
  else if (run !== null) printLine(context.stdout, renderSummary(run, context.style));
  else if (left === 0) printLine(context.stderr, 'There is nothing to try again.');
  return left + (run?.deadLetters ?? 0) > 0 ? EXIT.deadLetters : EXIT.done;
}
