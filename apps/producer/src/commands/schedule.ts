import {
  EmbedlineError,
  Releasers,
  Schedules,
  type ListedSchedule,
  type Overlap,
  type Schedule,
} from '@embedline/core';
import { assertServable } from '../pipeline/assert-servable.ts';
import { loadConfigFile, type ConfigFile } from '../pipeline/config-file.ts';
import { schedulesOf, sourceOf } from '../serve/served-file.ts';
import { safeText } from '../terminal/safe-text.ts';
import type { Style } from '../terminal/style.ts';
import { renderTable } from '../terminal/table.ts';
import { zonedTime } from '../terminal/zoned-time.ts';
import { EXIT, notice, openRunServices, printJson, printLine, type CommandContext } from './context.ts';
import { tellLostRuns } from './tell-lost-runs.ts';
import { programsOf } from './programs-of.ts';
import { requireConfigFile } from './serve.ts';

export interface ScheduleFlags {
  readonly config?: string;
  readonly cron?: string;
  readonly tz?: string;
  readonly overlap?: Overlap;
  readonly json?: true;
  /** False: do not run a configuration file that is code. */
  readonly commands?: boolean;
}

/** `embedline schedule set`: stands until the file is edited. @returns the exit code */
export async function setSchedule(
  name: string,
  flags: ScheduleFlags,
  context: CommandContext,
): Promise<number> {
  const file = await requireConfigFile(flags.config, context, programsOf(flags, context));
  const schedule = wanted(name, flags, file);
  await using releasers = new Releasers();
  const schedules = await openSchedules(context, releasers);
  const timetable = schedulesOf(file).find(({ pipeline }) => pipeline === name) ?? null;
  await schedules.set(schedule, { ...sourceOf(file), timetable });
  const listed = (await schedules.list()).find(({ pipeline }) => pipeline === name);
  const next = listed === undefined ? '' : nextTimes(listed);
  if (flags.json === true) printJson(context.stdout, { type: 'scheduled', ...listed });
  else
    printLine(
      context.stdout,
      `${name} will be ingested next at ${next} (${safeText(schedule.timeZone)}), by any running: embedline serve`,
    );
  return EXIT.done;
}

const NO_SCHEDULES =
  'No schedules. Write one into the configuration file, or set one with: embedline schedule set NAME --cron "0 3 * * *"';

/** `embedline schedule list`. @returns the exit code */
export async function listSchedules(flags: ScheduleFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const schedules = await openSchedules(context, releasers);
  const listed = await schedules.list();
  const newer = await schedules.newer();
  if (flags.json === true) for (const schedule of listed) printJson(context.stdout, schedule);
  else if (listed.length === 0 && newer.length === 0) printLine(context.stdout, NO_SCHEDULES);
  else if (listed.length > 0) printLine(context.stdout, render(listed, context.style));
  if (newer.length > 0)
    notice(
      context,
      `Not shown, since a newer version of embedline has set them: ${newer.map(safeText).join(', ')}. ` +
        `Its servers run them. Update embedline on this machine.`,
    );
  const refused = await schedules.refused();
  if (flags.json === true) for (const name of refused) printJson(context.stdout, { type: 'refused', name });
  if (refused.length > 0)
    notice(
      context,
      `Refused, and never run: ${refused.map((name) => JSON.stringify(safeText(name.slice(0, 200)))).join(', ')}. They were not set by ` +
        `embedline, or not with the key of this program. If the key is right, something else writes to this Redis.`,
    );
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
  flags: Pick<ScheduleFlags, 'json' | 'config' | 'commands'>,
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
  const file = await loadConfigFile(context.cwd, flags.config, programsOf(flags, context)).catch(() => null);
  if (file?.pipelines.get(name)?.schedule !== undefined)
    notice(
      context,
      `${file.path} still has a schedule for ${name}: a server with this file sets it again within a minute. Remove it there.`,
    );
  return EXIT.done;
}

export async function openSchedules(context: CommandContext, releasers: Releasers): Promise<Schedules> {
  const { redis, signingKeys } = await openRunServices(context, releasers);
  const { prefix } = context.config;
  return releasers.own(new Schedules({ connection: redis, prefix, signingKeys }));
}

/** What the flags say, else what the file says of the pipeline. */
function wanted(name: string, flags: ScheduleFlags, file: ConfigFile): Schedule {
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

function render(listed: readonly ListedSchedule[], style: Style): string {
  return renderTable(
    [
      { header: 'PIPELINE' },
      { header: 'CRON' },
      { header: 'TIME ZONE' },
      { header: 'OVERLAP' },
      { header: 'FROM' },
      { header: 'SERVERS' },
      { header: 'NEXT' },
      { header: 'LAST' },
    ],
    listed.map((schedule) => [
      safeText(schedule.pipeline),
      safeText(schedule.cron),
      safeText(schedule.timeZone),
      schedule.overlap,
      sourceText(schedule),
      schedule.servers === 0 ? 'none' : String(schedule.servers),
      nextTimes(schedule),
      lastResultText(schedule),
    ]),
    style,
  );
}

function sourceText({ source }: ListedSchedule): string {
  return source.kind === 'command' ? 'schedule set' : safeText(`${source.host}:${source.path}`);
}

function nextTimes({ next, timeZone, cron }: ListedSchedule): string {
  // Five fields say nothing of seconds, but the last one before a change of the clocks may stand for them.
  const withSeconds = cron.trim().split(/\s+/).length === 6;
  return next
    .map((date) => zonedTime(date, timeZone, withSeconds || date.getTime() % 60_000 !== 0))
    .join(', ');
}

function lastResultText({ lastResult, timeZone }: ListedSchedule): string {
  if (lastResult === null) return 'never';
  const { outcome, endedAtMs, message } = lastResult;
  return safeText(`${outcome} ${zonedTime(new Date(endedAtMs), timeZone)} ${message ?? ''}`.trim());
}
