import { EmbedlineError, Releasers, Schedules, type ListedSchedule, type Overlap } from '@embedline/core';
import { assertServable } from '../pipeline/assert-servable.ts';
import type { ConfigFile } from '../pipeline/config-file.ts';
import { safeText } from '../terminal/safe-text.ts';
import { renderTable } from '../terminal/table.ts';
import { EXIT, openRunServices, printJson, printLine, type CommandContext } from './context.ts';
import { tellLostRuns } from './tell-lost-runs.ts';
import { requireConfigFile } from './serve.ts';

export interface ScheduleFlags {
  readonly config?: string;
  readonly cron?: string;
  readonly tz?: string;
  readonly overlap?: Overlap;
  readonly json?: true;
}

/** `embedline schedule set`: the only writer of schedules. @returns the exit code */
export async function setSchedule(
  name: string,
  flags: ScheduleFlags,
  context: CommandContext,
): Promise<number> {
  const file = await requireConfigFile(flags.config, context);
  const schedule = wanted(name, flags, file);
  await using releasers = new Releasers();
  const schedules = await openSchedules(context, releasers);
  await schedules.set(schedule);
  const listed = (await schedules.list()).find(({ pipeline }) => pipeline === name);
  const next = listed?.next.map(local).join(', ') ?? '';
  if (flags.json === true) printJson(context.stdout, { type: 'scheduled', ...listed });
  else printLine(context.stdout, `${name} will be ingested next at ${next}, by any running: embedline serve`);
  return EXIT.done;
}

/** `embedline schedule list`. @returns the exit code */
export async function listSchedules(flags: ScheduleFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const listed = await (await openSchedules(context, releasers)).list();
  if (flags.json === true) for (const schedule of listed) printJson(context.stdout, schedule);
  else if (listed.length === 0)
    printLine(context.stdout, 'No schedules. Set one with: embedline schedule set NAME --cron "0 3 * * *"');
  else printLine(context.stdout, render(listed));
  if (listed.length > 0)
    await tellLostRuns(
      listed.map(({ pipeline }) => pipeline),
      context,
      releasers,
    );
  return EXIT.done;
}

/** `embedline schedule remove`. @returns the exit code */
export async function removeSchedule(
  name: string,
  flags: Pick<ScheduleFlags, 'json'>,
  context: CommandContext,
): Promise<number> {
  await using releasers = new Releasers();
  const removed = await (await openSchedules(context, releasers)).remove(name);
  if (!removed)
    throw new EmbedlineError(
      'USAGE',
      `There is no schedule of ${JSON.stringify(name)}. See: embedline schedule list`,
    );
  if (flags.json === true) printJson(context.stdout, { type: 'unscheduled', pipeline: name });
  else printLine(context.stdout, `${name} is no longer ingested by schedule.`);
  return EXIT.done;
}

export async function openSchedules(context: CommandContext, releasers: Releasers): Promise<Schedules> {
  const { redis } = await openRunServices(context, releasers);
  return releasers.own(new Schedules({ connection: redis, prefix: context.config.prefix }));
}

/** What the flags say, else what the file says of the pipeline. */
function wanted(name: string, flags: ScheduleFlags, file: ConfigFile) {
  const pipeline = file.pipelines.get(name);
  if (pipeline === undefined) {
    const names = [...file.pipelines.keys()].join(', ');
    throw new EmbedlineError(
      'USAGE',
      `${file.path} has no pipeline ${JSON.stringify(name)}; it has ${names === '' ? 'none' : names}.`,
    );
  }
  assertServable(pipeline);
  const cron = flags.cron ?? pipeline.schedule?.cron;
  if (cron === undefined)
    throw new EmbedlineError('USAGE', `When? Give --cron "0 3 * * *", or a schedule in ${file.path}.`);
  return {
    pipeline: name,
    cron,
    timeZone: flags.tz ?? pipeline.schedule?.timeZone ?? 'UTC',
    overlap: flags.overlap ?? pipeline.schedule?.overlap ?? 'skip',
  };
}

function render(listed: readonly ListedSchedule[]): string {
  return renderTable(
    [
      { header: 'PIPELINE' },
      { header: 'CRON' },
      { header: 'TIME ZONE' },
      { header: 'OVERLAP' },
      { header: 'NEXT' },
      { header: 'LAST' },
    ],
    listed.map(({ pipeline, cron, timeZone, overlap, next, lastResult }) => [
      safeText(pipeline),
      safeText(cron),
      safeText(timeZone),
      overlap,
      next.map(local).join(', '),
      lastResult === null
        ? 'never'
        : safeText(
            `${lastResult.outcome} ${local(new Date(lastResult.endedAtMs))} ${lastResult.message ?? ''}`.trim(),
          ),
    ]),
  );
}

function local(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
