import type { RedisConnection } from '../redis/connection.ts';
import { redisNowMs } from '../redis/clock.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import { runKeys } from '../run/run-keys.ts';
import {
  replaceTimetable,
  sameFile,
  sameTimetable,
  type ConfigFileSource,
  type Schedule,
  type ScheduleRecord,
} from './schedule-record.ts';
import { ScheduleStore, type ScheduleSnapshot } from './schedule-store.ts';
import { listServers, type Server } from './server-registry.ts';

export interface KeepOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
  /** The server that keeps them, and its file. */
  readonly server: Server;
  /** The schedules in that file. */
  readonly wanted: readonly Schedule[];
  /** What this machine knew last, for a Redis that has lost its data. */
  readonly known: ScheduleSnapshot;
  /** Told what was changed, and what was not and why. */
  readonly onChange: (message: string) => void;
  /** The clock of Redis in milliseconds since the epoch; for tests. */
  readonly now?: (() => Promise<number>) | undefined;
}

/**
 * Brings the schedules in Redis in step with the file of a server. Safe to repeat, and for several servers at once.
 * A schedule belongs to the file that set it first for as long as a server with that file is there; what `schedule set`
 * said stands until the file is edited.
 * @returns what is known now, to be kept for the next time
 */
export async function keepSchedules(options: KeepOptions): Promise<ScheduleSnapshot> {
  const { redis, prefix, server, wanted, known, onChange } = options;
  const store = new ScheduleStore(redis, prefix, options.signingKeys ?? null);
  const nowMs = await (options.now ?? (() => redisNowMs(redis, runKeys(prefix).schedules)))();
  // An older copy of the data may be back: what was served since then is not to be served again.
  for (const [pipeline, tickMs] of known.served) await store.markServed(pipeline, tickMs, nowMs);
  if (!(await store.isKept())) await restore(store, known, onChange);
  const others = (await listServers(redis, prefix, nowMs)).filter(({ id }) => id !== server.id);
  const { records: standing, newer } = await store.read();
  const byPipeline = new Map(wanted.map((schedule) => [schedule.pipeline, schedule]));
  for (const pipeline of new Set([...standing.keys(), ...byPipeline.keys()])) {
    if (newer.includes(pipeline)) onChange(leftToNewer(pipeline));
    else await keepOne(pipeline, byPipeline.get(pipeline) ?? null, { ...options, store, others, nowMs });
  }
  return store.read();
}

interface Keeping extends KeepOptions {
  readonly store: ScheduleStore;
  readonly others: readonly Server[];
  readonly nowMs: number;
}

async function keepOne(pipeline: string, wanted: Schedule | null, keeping: Keeping): Promise<void> {
  const { store, server, others, nowMs } = keeping;
  const { host, path } = server;
  let message: string | null = null;
  await store.change(pipeline, (before, servedMs) => {
    const decision = decide(before, wanted, server, others);
    message = describe(decision, before, pipeline, path);
    if (decision.act === 'set')
      return replaceTimetable(before, decision.schedule, { kind: 'file', host, path }, servedMs, nowMs);
    return decision.act === 'remove' ? null : undefined;
  });
  if (message !== null) keeping.onChange(message);
}

function describe(
  decision: Decision,
  before: ScheduleRecord | null,
  pipeline: string,
  path: string,
): string | null {
  switch (decision.act) {
    case 'leave':
      return null;
    case 'remove':
      return `${pipeline} is no longer scheduled: ${path} has no schedule for it.`;
    case 'refuse':
      return decision.reason;
    case 'set': {
      const { schedule } = decision;
      if (before !== null && sameTimetable(before, schedule)) return null;
      return `${pipeline} is scheduled at "${schedule.cron}" ${schedule.timeZone}, as ${path} says.`;
    }
  }
}

async function restore(
  store: ScheduleStore,
  known: ScheduleSnapshot,
  onChange: (message: string) => void,
): Promise<void> {
  const { newer } = await store.read();
  for (const [pipeline, record] of known.records) {
    if (newer.includes(pipeline)) continue;
    const there = await store.change(pipeline, (before) => (before === null ? record : undefined));
    if (there === record) onChange(`Redis had lost the schedule of ${pipeline}: it is set again.`);
  }
  await store.markKept();
}

function leftToNewer(pipeline: string): string {
  return (
    `The schedule of ${pipeline} was set by a newer version of embedline, whose servers run it; it is left as it is. ` +
    `Update embedline on this machine.`
  );
}

type Decision =
  | { readonly act: 'leave' | 'remove' }
  | { readonly act: 'set'; readonly schedule: Schedule }
  | { readonly act: 'refuse'; readonly reason: string };

const [LEAVE, REMOVE] = [{ act: 'leave' }, { act: 'remove' }] as const;

function decide(
  before: ScheduleRecord | null,
  wanted: Schedule | null,
  server: Server,
  others: readonly Server[],
): Decision {
  if (wanted === null) return before !== null && cameFrom(before, server) ? REMOVE : LEAVE;
  const set = { act: 'set', schedule: wanted } as const;
  if (before === null) return set;
  const { source } = before;
  if (source.kind === 'command')
    return source.over !== null && sameTimetable(source.over, wanted) ? LEAVE : set;
  const isOurs = sameFile(source, server);
  if (isOurs || others.some((other) => sameFile(source, other))) {
    if (sameTimetable(before, wanted)) return LEAVE;
    return isOurs ? set : { act: 'refuse', reason: conflict(wanted, source, server) };
  }
  return set;
}

/** Whether it is the file's, or stands over what the file said. */
function cameFrom({ source }: ScheduleRecord, server: Server): boolean {
  if (source.kind === 'file') return sameFile(source, server);
  return source.over !== null && sameFile(source.over, server);
}

function conflict(wanted: Schedule, owner: ConfigFileSource, server: Server): string {
  return (
    `${wanted.pipeline} is scheduled by ${owner.path} on ${owner.host}, which a server there keeps; ${server.path} here says ` +
    `otherwise and is not followed. Give the pipeline another name in one of the files, or the same schedule in both.`
  );
}
