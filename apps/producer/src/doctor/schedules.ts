import { ok, problem, Schedules, type Finding, type ListedSchedule } from '@embedline/core';
import type { ConfigFile } from '../pipeline/config-file.ts';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import { withRedis, type Check } from './check.ts';

/** The schedules in Redis against those in the file. */
export const schedules: Check = {
  name: 'schedules',
  examine: (surroundings) =>
    withRedis(surroundings, async (redis) => {
      const file = await surroundings.file().catch(() => null);
      if (file === null) return [];
      const set = new Schedules({ connection: redis, prefix: surroundings.context.config.prefix });
      try {
        return compare(file, await set.list());
      } finally {
        await set.close();
      }
    }),
};

function compare(file: ConfigFile, listed: readonly ListedSchedule[]): Finding[] {
  const inRedis = new Map(listed.map((schedule) => [schedule.pipeline, schedule]));
  const unknown = [...inRedis.keys()].filter((name) => !file.pipelines.has(name));
  const findings = [
    ...unknown.map((name) =>
      problem(
        'schedules',
        `${name} is scheduled, but not a pipeline of the file.`,
        `embedline schedule remove ${name}`,
      ),
    ),
    ...[...file.pipelines].flatMap(([name, { schedule }]) => compareOne(name, schedule, inRedis.get(name))),
  ];
  return findings.length > 0 ? findings : [ok('schedules', `${listed.length} set, as in the file`)];
}

function compareOne(
  name: string,
  wanted: PipelineDefinition['schedule'],
  set: ListedSchedule | undefined,
): Finding[] {
  if (wanted === undefined) return [];
  const remedy = `embedline schedule set ${name}`;
  if (set === undefined)
    return [problem('schedules', `${name} has a schedule in the file that is not set.`, remedy)];
  const isSame =
    set.cron === wanted.cron && set.timeZone === wanted.timeZone && set.overlap === wanted.overlap;
  if (isSame) return [];
  const found = `${name} is scheduled at "${set.cron}" ${set.timeZone} ${set.overlap}, the file says otherwise.`;
  return [problem('schedules', found, remedy)];
}
