import type { Queue } from 'bullmq';
import { ingestRequestSchema } from './ingest-request.ts';
import { scheduleRecordSchema } from './schedule-record.ts';
import type { ScheduleStore } from './schedule-store.ts';

/** Schedules of embedline 0.1 are Job Schedulers of BullMQ: they become records, with what they still owe. */
export async function adoptJobSchedulers(queue: Queue, store: ScheduleStore): Promise<void> {
  for (const { key, pattern, tz, template, next } of await queue.getJobSchedulers(0, -1, true)) {
    const request = ingestRequestSchema.safeParse(template?.data).data;
    const record = scheduleRecordSchema.safeParse({
      version: 1,
      cron: pattern,
      timeZone: tz ?? 'UTC',
      overlap: request?.overlap,
      source: { kind: 'command', over: null },
      // Its next time, which may have passed, is the first that is not served.
      sinceMs: Math.max(0, (next ?? Date.now()) - 1),
      owedMs: null,
    });
    if (record.success && request?.pipeline === key && !(await store.read()).newer.includes(key))
      await store.change(key, (before) => (before === null ? record.data : undefined));
    await queue.removeJobScheduler(key);
  }
}
