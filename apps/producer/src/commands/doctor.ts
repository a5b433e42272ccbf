import { DEFAULT_MODEL_ID, messageOf, Releasers, resolveModel } from '@embedline/core';
import { loadConfigFile, type ConfigFile } from '../pipeline/config-file.ts';
import { safeText } from '../terminal/safe-text.ts';
import { renderTable } from '../terminal/table.ts';
import {
  EXIT,
  openRunServices,
  openStoreForReading,
  printJson,
  printLine,
  type CommandContext,
} from './context.ts';
import { openSchedules } from './schedule.ts';

export interface DoctorFlags {
  readonly config?: string;
  readonly json?: true;
}

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  /** What was found and, where it is wrong, how to mend it. */
  readonly detail: string;
}

/** `embedline doctor`: what is wrong and how to mend it. @returns the exit code: 1 when something is */
export async function doctorCommand(flags: DoctorFlags, context: CommandContext): Promise<number> {
  const findings = [
    await look('configuration', () => checkFile(flags, context)),
    await look('Redis', () => checkRedisService(context)),
    await look('vector store', () => checkStore(context)),
    await look('model', () => checkModel(context)),
    ...(await checkSchedules(flags, context)),
  ];
  if (flags.json === true) for (const finding of findings) printJson(context.stdout, finding);
  else {
    const rows = findings.map(({ check, ok, detail }) => [ok ? 'ok' : 'WRONG', check, safeText(detail)]);
    printLine(context.stdout, renderTable([{ header: '' }, { header: 'CHECK' }, { header: 'FOUND' }], rows));
  }
  return findings.every(({ ok }) => ok) ? EXIT.done : EXIT.failed;
}

async function look(check: string, examine: () => Promise<string>): Promise<Finding> {
  try {
    return { check, ok: true, detail: await examine() };
  } catch (error) {
    return { check, ok: false, detail: messageOf(error) };
  }
}

async function checkFile(flags: DoctorFlags, { cwd }: CommandContext): Promise<string> {
  const file = await loadConfigFile(cwd, flags.config);
  return file === null
    ? 'none here (embedline init writes one)'
    : `${file.path}: ${file.pipelines.size} pipelines`;
}

/** Version, eviction policy and clock are refused when Redis is opened; what is only worth a warning is told. */
async function checkRedisService(context: CommandContext): Promise<string> {
  await using releasers = new Releasers();
  const warnings: string[] = [];
  await openRunServices(context, releasers, { report: (text) => void warnings.push(text) });
  return warnings.length === 0
    ? 'reachable, version, eviction policy, persistence and clock as they should be'
    : warnings.join(' ');
}

async function checkStore(context: CommandContext): Promise<string> {
  await using releasers = new Releasers();
  const store = await openStoreForReading(context, releasers);
  const generations = await store.generations();
  return `${store.kind} at ${store.location}: ${generations.filter(({ live }) => live).length} collections`;
}

async function checkModel({ config }: CommandContext): Promise<string> {
  const { modelsDirectory, dataDirectory } = config;
  const { spec } = await resolveModel({ id: DEFAULT_MODEL_ID, modelsDirectory, dataDirectory });
  return `${spec.id} ${spec.dtype}, ${spec.dimensions} dimensions, sha256 ${spec.hash.slice(0, 12)}`;
}

/** The schedules in Redis against those in the file. */
async function checkSchedules(flags: DoctorFlags, context: CommandContext): Promise<Finding[]> {
  const file = await loadConfigFile(context.cwd, flags.config).catch(() => null);
  if (file === null) return [];
  return [await look('schedules', () => compareSchedules(file, context))];
}

async function compareSchedules(file: ConfigFile, context: CommandContext): Promise<string> {
  await using releasers = new Releasers();
  const listed = await (await openSchedules(context, releasers)).list();
  const inRedis = new Map(listed.map((schedule) => [schedule.pipeline, schedule]));
  const problems: string[] = [];
  for (const name of inRedis.keys()) {
    if (!file.pipelines.has(name))
      problems.push(
        `${name} is scheduled, but not a pipeline of the file (embedline schedule remove ${name})`,
      );
  }
  for (const [name, { schedule }] of file.pipelines) {
    const set = inRedis.get(name);
    if (schedule === undefined) continue;
    if (set === undefined)
      problems.push(`${name} has a schedule in the file that is not set (embedline schedule set ${name})`);
    else if (
      set.cron !== schedule.cron ||
      set.timeZone !== schedule.timeZone ||
      set.overlap !== schedule.overlap
    )
      problems.push(
        `${name} is scheduled at "${set.cron}" ${set.timeZone} ${set.overlap}, the file says otherwise (embedline schedule set ${name})`,
      );
  }
  if (problems.length > 0) throw new Error(problems.join('; '));
  return `${listed.length} set, as in the file`;
}
