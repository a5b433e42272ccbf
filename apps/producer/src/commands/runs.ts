import { setTimeout as delay } from 'node:timers/promises';
import {
  EmbedlineError,
  readLockHolder,
  Releasers,
  type LockOwner,
  type RunProgress,
  type RunState,
} from '@embedline/core';
import { countOf, formatBytes, formatCount, formatDuration } from '../terminal/format.ts';
import { runJson, secondsOf, viewRun } from '../terminal/run-view.ts';
import { safeText } from '../terminal/safe-text.ts';
import type { Style } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { audit } from './audit.ts';
import { tellUnreadableRuns } from './tell-unreadable-runs.ts';
import {
  EXIT,
  notice,
  openRunServices,
  printJson,
  printLine,
  type CommandContext,
  type RunServices,
} from './context.ts';

export interface ListRunsFlags {
  readonly pipeline?: string;
  readonly state?: readonly RunState[];
  readonly limit: number;
  readonly json?: true;
}

export interface CancelFlags {
  readonly json?: true;
}

export interface PruneFlags {
  readonly pipeline?: string;
  /** Milliseconds. */
  readonly olderThan?: number;
  readonly keep?: number;
  readonly dryRun?: true;
  readonly json?: true;
}

/** A producer notices within a second when it reaches Redis; one that does not is not waited for. */
const PRODUCER_ANSWERS_MS = 15_000;
const POLL_MS = 100;
const DEFAULT_OLDER_THAN_MS = 30 * 24 * 3600 * 1000;

/** `embedline runs list`: runs, newest first. @returns the exit code */
export async function listRuns(flags: ListRunsFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const services = await openRunServices(context, releasers);
  const { pipeline, limit, state } = flags;
  const states = state === undefined ? undefined : new Set(state);
  const runs = await services.runs.list({ pipeline, limit, states });
  if (flags.json === true) for (const run of runs) printJson(context.stdout, runJson(viewRun(run, [])));
  else if (runs.length === 0) printLine(context.stdout, 'No such runs.');
  else printLine(context.stdout, renderRuns(runs, context.style));
  tellUnreadableRuns(services.unreadable, context);
  return EXIT.done;
}

/** `embedline runs cancel`: stops a run wherever its producer is, and drops its queue. @returns the exit code */
export async function cancelRun(runId: string, flags: CancelFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const services = await openRunServices(context, releasers);
  const run = await services.runs.find(runId);
  if (run === null)
    throw new EmbedlineError(
      'RUN_NOT_FOUND',
      `There is no run ${JSON.stringify(runId)} in this Redis. embedline runs list shows those there are.`,
    );
  const cancelled = await services.ledger.end(runId, 'cancelled', 'cancelled: embedline runs cancel');
  await services.queue.removeRun(runId);
  if (cancelled)
    audit(context, {
      action: 'run-cancelled',
      command: 'runs cancel',
      collection: run.spec.collection,
      pipeline: run.spec.pipeline,
      run: runId,
      counts: { chunksEmbedded: run.workers.chunksEmbedded },
    });
  const owner = cancelled ? await waitForProducer(run, services, context) : null;
  // What its producer had under way until it noticed.
  if (cancelled) await services.queue.removeRun(runId);
  const after = (await services.ledger.progress(runId)) ?? run;
  if (flags.json === true)
    printJson(context.stdout, {
      type: 'cancelled',
      run: runId,
      pipeline: run.spec.pipeline,
      cancelled,
      state: after.state,
      was: run.state,
    });
  else printLine(context.stdout, describeCancelled(after, run, cancelled));
  if (owner !== null)
    notice(
      context,
      `Its producer (process ${owner.pid} on ${owner.host}) has not answered yet. It ends as soon as it reaches Redis; ` +
        `what it queues until then is dropped by the next ingest of ${run.spec.pipeline}.`,
    );
  return EXIT.done;
}

/** `embedline runs prune`: forgets runs that have ended. @returns the exit code */
export async function pruneRuns(flags: PruneFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const { ledger, queue, runs } = await openRunServices(context, releasers);
  const { pipeline, keep = 0, dryRun = false } = flags;
  const olderThanMs = flags.olderThan ?? (flags.keep === undefined ? DEFAULT_OLDER_THAN_MS : 0);
  const pruned = await ledger.retention.prune({
    pipeline,
    olderThanMs,
    keep,
    dryRun,
    onForget: (runId) => queue.removeRun(runId),
  });
  const bytes = pruned.reduce((sum, run) => sum + run.bytes, 0);
  if (!dryRun && pruned.length > 0)
    audit(context, {
      action: 'runs-pruned',
      command: 'runs prune',
      ...(pipeline === undefined ? {} : { pipeline }),
      counts: { runs: pruned.length, bytes },
    });
  const lost = (await runs.unfinished(pipeline)).filter(({ state }) => state === 'lost');
  if (flags.json === true) {
    for (const run of pruned) printJson(context.stdout, { type: 'pruned', ...run, run: run.runId });
    printJson(context.stdout, { type: 'summary', runs: pruned.length, bytes, dryRun });
  } else {
    const counts = Map.groupBy(pruned, (run) => run.pipeline);
    for (const [name, group] of counts)
      printLine(context.stdout, `  ${safeText(name)}: ${countOf(group.length, 'run')}`);
    const verb = dryRun ? 'Would forget' : 'Forgot';
    printLine(context.stdout, `${verb} ${countOf(pruned.length, 'run')}, ${formatBytes(bytes)} in Redis.`);
  }
  if (lost.length > 0)
    notice(
      context,
      `${countOf(lost.length, 'run')} without a producer stayed, since only runs that have ended are forgotten. Ingest their pipelines ` +
        `again, or cancel them: embedline runs list --state lost`,
    );
  return EXIT.done;
}

/** @returns null when the producer has let go of its pipeline, or who holds it still */
async function waitForProducer(
  { spec, state }: RunProgress,
  { redis }: RunServices,
  { config: { prefix }, signal }: CommandContext,
): Promise<LockOwner | null> {
  if (state === 'lost') return null;
  const deadlineMs = Date.now() + PRODUCER_ANSWERS_MS;
  for (;;) {
    const owner = await readLockHolder({ redis, prefix, scope: `pipeline:${spec.pipeline}` });
    if (owner?.runId !== spec.runId) return null;
    if (signal.aborted || Date.now() > deadlineMs) return owner;
    await delay(POLL_MS);
  }
}

function describeCancelled(after: RunProgress, before: RunProgress, cancelled: boolean): string {
  const { runId, pipeline } = after.spec;
  if (!cancelled) {
    const at = after.endedAtMs === null ? '' : ` at ${utc(after.endedAtMs)}`;
    return `Run ${runId} of ${pipeline} had ended already (${after.state}${at}): nothing to cancel.`;
  }
  const whose = before.state === 'lost' ? ', whose producer was gone' : '';
  return (
    `Cancelled run ${runId} of ${pipeline}${whose}: its queue is dropped. What it embedded ` +
    `(${countOf(after.workers.chunksEmbedded, 'chunk')}) stays; ingesting ${pipeline} again does the rest.`
  );
}

function renderRuns(runs: readonly RunProgress[], style: Style): string {
  return renderTable(
    [
      { header: 'RUN', whole: true },
      { header: 'PIPELINE' },
      { header: 'STATE' },
      { header: 'STARTED (UTC)' },
      { header: 'TIME', align: 'right' },
      { header: 'CHUNKS', align: 'right' },
      { header: 'EMBEDDED', align: 'right' },
      { header: 'DEAD LETTERS', align: 'right' },
    ],
    runs.map((run) => [
      safeText(run.spec.runId),
      safeText(run.spec.pipeline),
      run.state,
      utc(run.spec.startedAtMs).replace(' UTC', ''),
      formatDuration(secondsOf(run)),
      formatCount(run.producer.chunksTotal),
      formatCount(run.workers.chunksEmbedded),
      formatCount(run.deadLetters),
    ]),
    style,
  );
}

function utc(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
