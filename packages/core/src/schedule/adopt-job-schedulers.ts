import type { JobSchedulerJson, Queue } from 'bullmq';
import { ingestRequestSchema } from './ingest-request.ts';
import { scheduleRecordSchema, type ScheduleRecord } from './schedule-record.ts';
import type { ScheduleStore } from './schedule-store.ts';

/** Far more than there are pipelines. */
const MAX_SCHEDULERS = 1_000;

export interface AdoptOptions {
  readonly queue: Queue;
  readonly store: ScheduleStore;
  /** True where schedules are signed: BullMQ's are not. */
  readonly refuseAll: boolean;
}

/**
 * Schedules of embedline 0.1 are Job Schedulers of BullMQ: they become records, with what they still owe. What 0.1 cannot
 * have made is left where it is, and none of its jobs is ever run.
 * @returns names of those that were left, whatever they are called
 */
export async function adoptJobSchedulers({ queue, store, refuseAll }: AdoptOptions): Promise<string[]> {
  const refused: string[] = [];
  for (const scheduler of await queue.getJobSchedulers(0, MAX_SCHEDULERS - 1, true)) {
    const { key } = scheduler;
    const record = refuseAll ? null : recordOf(scheduler);
    if (record === null) {
      refused.push(key);
      continue;
    }
    if (!(await store.read()).newer.includes(key))
      await store.change(key, (before) => (before === null ? record : undefined));
    await queue.removeJobScheduler(key);
  }
  return refused;
}

function recordOf({ key, pattern, tz, template, next }: JobSchedulerJson): ScheduleRecord | null {
  const request = ingestRequestSchema.safeParse(template?.data).data;
  if (request?.pipeline !== key || request.kind !== 'scheduled' || Object.keys(request.options).length > 0)
    return null;
  const record = scheduleRecordSchema.safeParse({
    version: 1,
    cron: pattern,
    timeZone: tz ?? 'UTC',
    overlap: request.overlap,
    source: { kind: 'command', over: null },
    // Its next time, which may have passed, is the first that is not served.
    sinceMs: Math.max(0, (next ?? Date.now()) - 1),
    owedMs: null,
  });
  return record.data ?? null;
}
