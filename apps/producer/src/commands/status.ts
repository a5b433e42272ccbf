import { setTimeout as delay } from 'node:timers/promises';
import {
  connectedWorkers,
  EmbedlineError,
  Releasers,
  type ConnectedWorker,
  type ObservedRuns,
  type RunProgress,
} from '@embedline/core';
import { createLiveArea } from '../terminal/live-area.ts';
import { countOf, formatCount, formatDuration } from '../terminal/format.ts';
import { progressLine } from '../terminal/progress-line.ts';
import { runJson, secondsOf, viewRun } from '../terminal/run-view.ts';
import { describeOutdated, type Serving } from '../terminal/serving.ts';
import { safeText } from '../terminal/safe-text.ts';
import type { Style } from '../terminal/style.ts';
import { tellUnreadableRuns } from './tell-unreadable-runs.ts';
import {
  EXIT,
  openRunServices,
  printJson,
  printLine,
  type CommandContext,
  type RunServices,
} from './context.ts';

export interface StatusFlags {
  readonly watch?: true;
  readonly limit: number;
  readonly json?: true;
}

const WATCH_EVERY_MS = 1_000;

/**
 * `embedline status`: progress of the runs, newest first. @returns the exit code: 0 for a look; with --watch, how what was
 * watched has ended
 */
export async function statusCommand(
  runId: string | undefined,
  flags: StatusFlags,
  context: CommandContext,
): Promise<number> {
  await using releasers = new Releasers();
  const services = await openRunServices(context, releasers);
  if (flags.watch !== true) {
    const { runs, workers } = await load(runId, flags, services, context);
    if (flags.json === true)
      for (const run of runs) printJson(context.stdout, runJson(viewRun(run, workers)));
    else printLine(context.stdout, render(runs, workers, context.style));
    tellUnreadableRuns(services.unreadable, context);
    return EXIT.done;
  }
  return await watch(runId, flags, services, context);
}

/** Until nothing runs any more, or a person stops it. */
async function watch(
  runId: string | undefined,
  flags: StatusFlags,
  services: RunServices,
  context: CommandContext,
): Promise<number> {
  const { stdout, style, signal } = context;
  const area = createLiveArea(stdout, style);
  const watched = new Set<string>();
  try {
    while (!signal.aborted) {
      const { runs, workers } = await load(runId, flags, services, context);
      for (const run of runs) if (runId !== undefined || isUnfinished(run)) watched.add(run.spec.runId);
      if (flags.json === true) for (const run of runs) printJson(stdout, runJson(viewRun(run, workers)));
      else area.update(render(runs, workers, style));
      if (runs.every((run) => run.state !== 'running'))
        return exitCodeOf(await Promise.all([...watched].map((id) => services.runs.find(id))));
      await delay(WATCH_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
    return EXIT.interrupted;
  } finally {
    area.close();
    tellUnreadableRuns(services.unreadable, context);
  }
}

async function load(
  runId: string | undefined,
  flags: StatusFlags,
  { runs: observed, redis }: RunServices,
  { config }: CommandContext,
): Promise<{ runs: RunProgress[]; workers: ConnectedWorker[] }> {
  const workers = await connectedWorkers(redis, config.prefix);
  if (runId === undefined) return { runs: await newestAndUnfinished(flags.limit, observed), workers };
  const run = await observed.find(runId);
  if (run !== null) return { runs: [run], workers };
  throw new EmbedlineError(
    'RUN_NOT_FOUND',
    `There is no run ${JSON.stringify(runId)} in this Redis. embedline status lists those there are.`,
  );
}

/** Whatever the limit, a run that has not ended is among them. */
async function newestAndUnfinished(limit: number, observed: ObservedRuns): Promise<RunProgress[]> {
  const runs = [...(await observed.list({ limit })), ...(await observed.unfinished())];
  const byId = new Map(runs.map((run) => [run.spec.runId, run]));
  return [...byId.values()].sort((a, b) => b.spec.startedAtMs - a.spec.startedAtMs);
}

function isUnfinished({ state }: RunProgress): boolean {
  return state === 'running' || state === 'lost';
}

/** Of runs that were watched to their end: the worst counts. */
function exitCodeOf(runs: readonly (RunProgress | null)[]): number {
  if (runs.some((run) => run?.state !== 'done')) return EXIT.failed;
  return runs.some((run) => (run?.deadLetters ?? 0) > 0) ? EXIT.deadLetters : EXIT.done;
}

function render(runs: readonly RunProgress[], workers: readonly ConnectedWorker[], style: Style): string {
  if (runs.length === 0) return 'No runs yet. Start one with: embedline ingest ./docs --collection docs';
  const connected = workers.length === 1 ? '1 worker connected' : `${workers.length} workers connected`;
  return [...runs.map((run) => renderRun(run, workers, style)), style.dim(connected)].join('\n');
}

function renderRun(run: RunProgress, workers: readonly ConnectedWorker[], style: Style): string {
  const started = new Date(run.spec.startedAtMs).toISOString().replace('T', ' ').slice(0, 16);
  const pipeline = run.spec.pipeline === run.spec.collection ? '' : ` (${run.spec.pipeline})`;
  const head = `${style.bold(run.spec.collection)}${pipeline}  ${run.spec.runId}  ${style.dim(`started ${started} UTC, ${formatDuration(secondsOf(run))}`)}`;
  const view = viewRun(run, workers);
  const lines = [head, `  ${progressLine(view, style)}`, ...renderServing(view.serving, style)];
  if (run.message !== null) lines.push(`  ${style.yellow(safeText(run.message))}`);
  if (run.jobsRefused > 0) lines.push(`  ${style.yellow(refusedJobs(run.jobsRefused))}`);
  if (run.state === 'running') {
    for (const { workerId, batches, chunks } of run.byWorker) {
      lines.push(
        style.dim(`  ${safeText(workerId)}: ${formatCount(batches)} batches, ${formatCount(chunks)} chunks`),
      );
    }
  }
  return lines.join('\n');
}

function refusedJobs(count: number): string {
  return (
    `${countOf(count, 'job')} in its queue ${count === 1 ? 'was' : 'were'} not put there by embedline and dropped: something else writes to ` +
    `this Redis. Nothing of the run was lost by it.`
  );
}

/** The workers that are connected and take no batches of the run. */
function renderServing({ refusing, outdated }: Serving, style: Style): string[] {
  const lines = refusing.map(({ workerId, reason, sinceMs }) => {
    const since = new Date(sinceMs).toISOString().slice(11, 19);
    return `${workerId} leaves it to others (since ${since} UTC): ${reason}`;
  });
  if (outdated.length > 0) lines.push(describeOutdated(outdated));
  return lines.map((line) => `  ${style.yellow(safeText(line))}`);
}
