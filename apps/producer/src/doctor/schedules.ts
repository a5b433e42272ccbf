import { ok, problem, Schedules, warning, type Finding, type ListedSchedule } from '@embedline/core';
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
      const { prefix } = surroundings.context.config;
      const signingKeys = await surroundings.signingKeys();
      const set = new Schedules({ connection: redis, prefix, signingKeys });
      try {
        const listed = await set.list();
        return compare(file, { listed, newer: await set.newer(), refused: await set.refused() });
      } finally {
        await set.close();
      }
    }),
};

interface InRedis {
  readonly listed: readonly ListedSchedule[];
  /** Set by a newer version of embedline. */
  readonly newer: readonly string[];
  /** Not set by embedline, or with another key. */
  readonly refused: readonly string[];
}

function compare(file: ConfigFile, { listed, newer, refused }: InRedis): Finding[] {
  const inRedis = new Map(listed.map((schedule) => [schedule.pipeline, schedule]));
  const findings = [
    ...listed.filter(({ pipeline }) => !file.pipelines.has(pipeline)).flatMap(examineForeign),
    ...[...file.pipelines].flatMap(([name, { schedule }]) =>
      newer.includes(name) || refused.includes(name) ? [] : compareOne(name, schedule, inRedis.get(name)),
    ),
    ...newer.map(setByNewer),
    ...refused.map(refusedSchedule),
    ...listed.filter(({ pipeline, servers }) => file.pipelines.has(pipeline) && servers === 0).map(unserved),
  ];
  return findings.length > 0 ? findings : [ok('schedules', `${listed.length} set, as in the file`)];
}

/** Of another file; that is right where a server has that file. */
function examineForeign({ pipeline, source, servers }: ListedSchedule): Finding[] {
  if (servers > 0) return [];
  const from =
    source.kind === 'file' ? ` It is from ${source.path} on ${source.host}, which nobody serves.` : '';
  return [
    problem(
      'schedules',
      `${pipeline} is scheduled, but not a pipeline of the file.${from}`,
      `embedline schedule remove ${pipeline}`,
    ),
  ];
}

function setByNewer(pipeline: string): Finding {
  const found = `${pipeline} is scheduled by a newer version of embedline: servers of this version do not run it.`;
  return warning('schedules', found, 'Update embedline on this machine.');
}

function refusedSchedule(name: string): Finding {
  const found = `${JSON.stringify(name.slice(0, 200))} was not set by embedline, or with another signing key: it is never run.`;
  return problem('schedules', found, 'Compare EMBEDLINE_SIGNING_KEY with that of the servers.');
}

function unserved({ pipeline }: ListedSchedule): Finding {
  const found = `${pipeline} is scheduled, but no server that has it runs: nothing is ingested.`;
  return warning('schedules', found, 'embedline serve');
}

function compareOne(
  name: string,
  wanted: PipelineDefinition['schedule'],
  set: ListedSchedule | undefined,
): Finding[] {
  if (wanted === undefined) return [];
  const remedy = `embedline schedule set ${name}`;
  if (set === undefined) {
    const found = `${name} has a schedule in the file that is not set: embedline serve sets it when it starts.`;
    return [problem('schedules', found, remedy)];
  }
  const isSame =
    set.cron === wanted.cron && set.timeZone === wanted.timeZone && set.overlap === wanted.overlap;
  if (isSame) return [];
  const by =
    set.source.kind === 'command' ? 'by schedule set' : `by ${set.source.path} on ${set.source.host}`;
  const found =
    `${name} is scheduled at "${set.cron}" ${set.timeZone} ${set.overlap} ${by}; the file says ` +
    `"${wanted.cron}" ${wanted.timeZone} ${wanted.overlap}.`;
  return [problem('schedules', found, remedy)];
}
