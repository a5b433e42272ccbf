import { z } from 'zod';
import { assertCron, latestFireTime, type Cron } from './cron.ts';
import { storedTimeMs } from '../stored-numbers.ts';
import { overlapSchema, type Overlap } from './ingest-request.ts';

/** When a pipeline is ingested, and what happens while the ingest before still runs. */
export interface Timetable extends Cron {
  readonly overlap: Overlap;
}

export interface Schedule extends Timetable {
  readonly pipeline: string;
}

/** A configuration file on a machine. */
const configFileSchema = z.looseObject({ host: z.string().max(255), path: z.string().max(4096) });
export interface ConfigFileSource {
  readonly host: string;
  readonly path: string;
}

const timetableSchema = z.looseObject({
  cron: z.string().max(200),
  timeZone: z.string().max(100),
  overlap: overlapSchema,
});

/** Who said so: a configuration file, through a server that keeps Redis in step with it, or `embedline schedule set`. */
const sourceSchema = z.discriminatedUnion('kind', [
  configFileSchema.extend({ kind: z.literal('file') }),
  z.looseObject({
    kind: z.literal('command'),
    /** What a file said when the command was given. The command stands until that file says something else. */
    over: timetableSchema.extend(configFileSchema.shape).nullable(),
  }),
]);
export type ScheduleSource = z.infer<typeof sourceSchema>;

/** Of the format of a stored schedule; see docs/formats.md. */
export const SCHEDULE_VERSION = 1 as const;

/** A schedule as it is stored. Fields that a newer program of the same version added are kept. */
export const scheduleRecordSchema = timetableSchema
  .extend({
    version: z.literal(SCHEDULE_VERSION),
    source: sourceSchema,
    /** Times up to this one are not its own: it was not set yet. */
    sinceMs: storedTimeMs,
    /** A time of the schedule before it that had not been served when this one was set. */
    owedMs: storedTimeMs.nullable(),
  })
  .refine(isCron);
export type ScheduleRecord = z.infer<typeof scheduleRecordSchema>;

/** The clocks of two servers of Redis may differ by this. */
export const MOST_AHEAD_MS = 24 * 3600 * 1000;

export function sameTimetable(a: Timetable, b: Timetable): boolean {
  return a.cron === b.cron && a.timeZone === b.timeZone && a.overlap === b.overlap;
}

export function sameFile(a: ConfigFileSource, b: ConfigFileSource): boolean {
  return a.host === b.host && a.path === b.path;
}

/**
 * The time for which an ingest is due: the latest that has come and was not served, so that any number of missed ones is one
 * ingest. Null when none is due.
 */
export function dueTick(record: ScheduleRecord, servedMs: number | null, nowMs: number): number | null {
  // A time that far ahead was not served, whatever is written there.
  const served = servedMs === null || servedMs > nowMs + MOST_AHEAD_MS ? 0 : servedMs;
  const latestMs = latestFireTime(record, Math.max(record.sinceMs, served), nowMs);
  if (latestMs !== null) return latestMs;
  const { owedMs } = record;
  return owedMs !== null && owedMs > served && owedMs <= nowMs ? owedMs : null;
}

/** Whether the schedule is due at this very time, or owes it from the one before. */
export function isTickOf(record: ScheduleRecord, tickMs: number): boolean {
  return record.owedMs === tickMs || latestFireTime(record, tickMs - 1, tickMs) === tickMs;
}

/** What another timetable makes of a record: what is due by the one before stays due. */
export function replaceTimetable(
  before: ScheduleRecord | null,
  { cron, timeZone, overlap }: Timetable,
  source: ScheduleSource,
  servedMs: number | null,
  nowMs: number,
): ScheduleRecord {
  const timetable = { version: SCHEDULE_VERSION, cron, timeZone, overlap, source };
  if (before === null) return { ...timetable, sinceMs: nowMs, owedMs: null };
  if (before.cron === cron && before.timeZone === timeZone)
    return { ...timetable, sinceMs: before.sinceMs, owedMs: before.owedMs };
  return { ...timetable, sinceMs: nowMs, owedMs: dueTick(before, servedMs, nowMs) };
}

/** A configuration file, and the schedule that it has for a pipeline. */
export interface FileSays extends ConfigFileSource {
  readonly timetable: Timetable | null;
}

/** Where a schedule that a command sets comes from: from the file when it says the same, else it stands over that. */
export function sourceOfCommand(
  wanted: Timetable,
  file: FileSays | null,
  before: ScheduleRecord | null,
): ScheduleSource {
  if (file?.timetable && sameTimetable(file.timetable, wanted))
    return { kind: 'file', host: file.host, path: file.path };
  if (before?.source.kind === 'command') return before.source;
  if (before?.source.kind === 'file') {
    const { cron, timeZone, overlap, source } = before;
    return { kind: 'command', over: { cron, timeZone, overlap, host: source.host, path: source.path } };
  }
  return {
    kind: 'command',
    over: file?.timetable ? { ...file.timetable, host: file.host, path: file.path } : null,
  };
}

function isCron(cron: Cron): boolean {
  try {
    assertCron(cron);
    return true;
  } catch {
    return false;
  }
}
