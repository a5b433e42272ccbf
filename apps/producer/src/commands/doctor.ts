import { Releasers, signingKeysFor, type Finding, type VectorStore } from '@embedline/core';
import type { Surroundings } from '../doctor/check.ts';
import { CHECKS } from '../doctor/checks.ts';
import { examine } from '../doctor/examine.ts';
import { loadConfigFile, type ConfigFile } from '../pipeline/config-file.ts';
import { programsOf } from './programs-of.ts';
import { safeText } from '../terminal/safe-text.ts';
import type { Style } from '../terminal/style.ts';
import {
  EXIT,
  openRedis,
  openStoreForReading,
  printJson,
  printLine,
  type CommandContext,
} from './context.ts';

export interface DoctorFlags {
  readonly config?: string;
  readonly json?: true;
}

/** `embedline doctor`: what is wrong and how to mend it. @returns the exit code: 1 when something is a problem */
export async function doctorCommand(flags: DoctorFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const counts = { ok: 0, warning: 0, problem: 0 };
  for await (const finding of examine(CHECKS, surroundingsOf(flags, context, releasers))) {
    counts[finding.verdict] += 1;
    if (flags.json === true) printJson(context.stdout, finding);
    else printLine(context.stdout, render(finding, context.style));
  }
  if (flags.json !== true)
    printLine(
      context.stdout,
      `\n${counts.problem} problems, ${counts.warning} warnings, ${counts.ok} in order`,
    );
  return counts.problem === 0 ? EXIT.done : EXIT.failed;
}

function surroundingsOf(flags: DoctorFlags, context: CommandContext, releasers: Releasers): Surroundings {
  // What opening warns of, checks find themselves.
  const quietly = () => undefined;
  let file: Promise<ConfigFile | null> | undefined;
  let opened: ReturnType<typeof openRedis> | undefined;
  let store: Promise<VectorStore> | undefined;
  const redis = () => (opened ??= openRedis(context, releasers, quietly));
  return {
    context,
    file: () => (file ??= loadConfigFile(context.cwd, flags.config, programsOf({}, context))),
    redis: async () => (await redis()).redis,
    signingKeys: async () => signingKeysFor(context.config, (await redis()).lease),
    store: () => (store ??= openStoreForReading(context, releasers, quietly)),
  };
}

const CHECK_COLUMNS = 22;

function render({ check, verdict, found, remedy }: Finding, style: Style): string {
  const colour = ({ ok: 'green', warning: 'yellow', problem: 'red' } as const)[verdict];
  const label = style[colour](verdict.padEnd('problem'.length));
  const line = `${label}  ${safeText(check).padEnd(CHECK_COLUMNS)}  ${safeText(found)}`;
  return remedy === null ? line : `${line}\n${' '.repeat(CHECK_COLUMNS + 11)}${safeText(remedy)}`;
}
