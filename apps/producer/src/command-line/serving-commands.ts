import { Option, type Command } from 'commander';
import type { DoctorFlags } from '../commands/doctor.ts';
import type { ScheduleFlags } from '../commands/schedule.ts';
import type { ServeFlags } from '../commands/serve.ts';
import { wholeNumber } from './options.ts';
import type { Run } from './run.ts';

const CONFIG = [
  '--config <file>',
  'configuration file; default: embedline.config.ts, .mjs or .json here',
] as const;

/** Commands that run ingests by the clock, and look after the whole. */
export function addServingCommands(program: Command, run: Run): void {
  addSchedule(program.command('schedule').description('when pipelines are ingested'), run);
  program
    .command('serve')
    .description(
      'run ingests that are due by the configuration file or handed over with --detach, until stopped; several may serve',
    )
    .option(...CONFIG)
    .option('--concurrency <n>', 'ingests at a time', wholeNumber(1), 1)
    .option(
      '--no-commands',
      'refuse to run programs: a configuration file that is code, commands as sources or hooks',
    )
    .addHelpText('after', `\nExample:\n  embedline serve`)
    .action((flags: ServeFlags) =>
      run(async (context) => (await import('../commands/serve.ts')).serveCommand(flags, context)),
    );
  program
    .command('doctor')
    .description(
      'check Redis, workers, vector store, model, disk, configuration and schedules, and say how to fix what is wrong',
    )
    .option(...CONFIG)
    .option('--json', 'one JSON object per check')
    .addHelpText('after', `\nExample:\n  embedline doctor`)
    .action((flags: DoctorFlags) =>
      run(async (context) => (await import('../commands/doctor.ts')).doctorCommand(flags, context)),
    );
}

function addSchedule(schedule: Command, run: Run): void {
  schedule
    .command('set')
    .argument('<name>', 'a pipeline of the configuration file')
    .description(
      'set the schedule of a pipeline, which stands until the file is edited; without --cron, the one in the file',
    )
    .option(...CONFIG)
    .option(
      '--cron <pattern>',
      'five fields: minute, hour, day of month, month, day of week; six begin with seconds',
    )
    .option('--tz <name>', 'time zone of the pattern; default: UTC')
    .addOption(
      new Option(
        '--overlap <policy>',
        'while an ingest still runs: leave out the next, or let one wait; default: skip',
      ).choices(['skip', 'queue-one']),
    )
    .option('--no-commands', 'refuse to run a configuration file that is code')
    .option('--json', 'the schedule, as a JSON object')
    .addHelpText('after', `\nExample:\n  embedline schedule set docs --cron "0 3 * * *" --tz Europe/Zurich`)
    .action((name: string, flags: ScheduleFlags) =>
      run(async (context) => (await import('../commands/schedule.ts')).setSchedule(name, flags, context)),
    );
  schedule
    .command('list')
    .description('every schedule, where it comes from, its next three times and how the last one ended')
    .option('--json', 'one JSON object per schedule')
    .addHelpText('after', `\nExample:\n  embedline schedule list`)
    .action((flags: ScheduleFlags) =>
      run(async (context) => (await import('../commands/schedule.ts')).listSchedules(flags, context)),
    );
  schedule
    .command('remove')
    .argument('<name>', 'the pipeline')
    .description(
      'ingest a pipeline by schedule no longer; what the configuration file says is set again by its server',
    )
    .option(...CONFIG)
    .option('--no-commands', 'refuse to run a configuration file that is code')
    .option('--json', 'what was removed, as a JSON object')
    .addHelpText('after', `\nExample:\n  embedline schedule remove docs`)
    .action((name: string, flags: ScheduleFlags) =>
      run(async (context) => (await import('../commands/schedule.ts')).removeSchedule(name, flags, context)),
    );
}
