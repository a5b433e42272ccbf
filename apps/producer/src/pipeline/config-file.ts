import { access, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EmbedlineError, messageOf } from '@embedline/core';
import { z } from 'zod';
import { assertTrustedPlace } from './assert-trusted-place.ts';
import { CONFIG_FILES } from './config-files.ts';
import { describeIssues } from './describe-issues.ts';
import {
  pipelineNameSchema,
  pipelineSchema,
  type PipelineDefinition,
  type PipelineInput,
} from './definition.ts';
import { failureHookSchema, type FailureHook } from './failure-hook.ts';
import type { Programs } from './programs.ts';

export interface ConfigFile {
  readonly path: string;
  /** As they were written, for flags to be laid over. */
  readonly inputs: ReadonlyMap<string, PipelineInput>;
  /** Checked and filled in. */
  readonly pipelines: ReadonlyMap<string, PipelineDefinition>;
  /** Who is told when an ingest by schedule or --detach fails, where the schedule of the pipeline does not say. */
  readonly onFailure: FailureHook | null;
}

const fileSchema = z.strictObject({
  pipelines: z.record(pipelineNameSchema, z.record(z.string(), z.unknown()), {
    error: 'expected { NAME: { sources: [...] }, ... }',
  }),
  onFailure: failureHookSchema.nullable().default(null),
});

/**
 * The configuration file of a directory, or the one that is named; null when none is there.
 * @param programs told when the file is code, which is then run
 * @throws EmbedlineError CONFIG_INVALID that names every wrong key and what was expected; CONFIG_UNTRUSTED for a file that
 * was not named, and that others may have written; USAGE for code where that is forbidden
 */
export async function loadConfigFile(
  cwd: string,
  named?: string,
  programs?: Programs,
): Promise<ConfigFile | null> {
  const path = named === undefined ? await findConfigFile(cwd) : resolve(cwd, named);
  if (path === null) return null;
  if (named === undefined) await assertTrustedPlace(path);
  if (!path.endsWith('.json')) programs?.allowCode(path);
  const parsed = fileSchema.safeParse(await load(path));
  if (!parsed.success) throw invalid(path, describeIssues(parsed.error, fileSchema));
  const inputs = new Map(Object.entries(parsed.data.pipelines) as [string, PipelineInput][]);
  const problems: string[] = [];
  const pipelines = new Map<string, PipelineDefinition>();
  for (const [name, input] of inputs) {
    const pipeline = pipelineSchema.safeParse({ collection: name, ...input });
    if (pipeline.success) pipelines.set(name, { ...pipeline.data, name, directory: dirname(path) });
    else
      for (const issue of describeIssues(pipeline.error, pipelineSchema, ['pipelines', name]))
        problems.push(issue);
  }
  if (problems.length > 0) throw invalid(path, problems);
  return { path, inputs, pipelines, onFailure: parsed.data.onFailure };
}

async function findConfigFile(cwd: string): Promise<string | null> {
  for (const name of CONFIG_FILES) {
    const path = join(cwd, name);
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return null;
}

async function load(path: string): Promise<unknown> {
  try {
    if (path.endsWith('.json')) return JSON.parse(await readFile(path, 'utf8')) as unknown;
    // Named by its time as well: a module is loaded once for each name, and a server outlives edits of the file.
    const { mtimeMs } = await stat(path);
    const module = (await import(`${pathToFileURL(path).href}?t=${Math.trunc(mtimeMs)}`)) as {
      readonly default?: unknown;
    };
    if (module.default === undefined)
      throw new Error('it has no default export (export default defineConfig({ ... }))');
    return module.default;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException | null)?.code === 'ENOENT';
    throw new EmbedlineError(
      'CONFIG_INVALID',
      missing
        ? `There is no configuration file ${path}. Write one with: embedline init`
        : `${path} cannot be loaded: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function invalid(path: string, problems: readonly string[]): EmbedlineError {
  return new EmbedlineError(
    'CONFIG_INVALID',
    [`${path} is not usable:`, ...problems.map((problem) => `  ${problem}`)].join('\n'),
  );
}
