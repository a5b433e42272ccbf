import { assertCollectionName, EmbedlineError } from '@embedline/core';
import type { Source } from '../readers/corpus.ts';
import { loadConfigFile, type ConfigFile } from './config-file.ts';
import { pipelineNameSchema, pipelineSchema, type PipelineDefinition } from './definition.ts';
import { describeIssues } from './describe-issues.ts';
import type { Programs } from './programs.ts';

/** What the flags say of a pipeline: the keys of a definition, absent where no flag was given. */
export type PipelineFlags = Readonly<Record<string, unknown>> & {
  readonly collection?: string;
  /** Name of a pipeline that is described by flags alone. */
  readonly pipeline?: string;
  /** Path of the configuration file. */
  readonly config?: string;
  /** Every pipeline of the file. */
  readonly all?: true;
  /** False: run nothing that the configuration file brings along. */
  readonly commands?: boolean;
};

/**
 * With a collection named, the arguments are sources and the flags describe one pipeline. Without, they are names of
 * pipelines in the configuration file, over which the flags that were given are laid.
 * @param programs told of everything that the configuration makes this process run, before anything is
 * @throws EmbedlineError USAGE, CONFIG_INVALID, CONFIG_UNTRUSTED
 */
export async function choosePipelines(
  args: readonly string[],
  flags: PipelineFlags,
  cwd: string,
  programs?: Programs,
): Promise<PipelineDefinition[]> {
  if (flags.collection !== undefined) return [fromFlags(args, flags, cwd)];
  if (flags.pipeline !== undefined)
    throw new EmbedlineError(
      'USAGE',
      '--pipeline goes with --collection: without that, the arguments are the names of pipelines.',
    );
  const file = await loadConfigFile(cwd, flags.config, programs);
  if (flags.all === true && args.length > 0)
    throw new EmbedlineError('USAGE', '--all takes every pipeline of the file: name none beside it.');
  if (flags.all === true && file === null)
    throw new EmbedlineError(
      'USAGE',
      `There is no configuration file in ${cwd}. Write one with: embedline init`,
    );
  const names = flags.all === true ? [...(file?.pipelines.keys() ?? [])] : args;
  if (names.length === 0) {
    throw new EmbedlineError(
      'USAGE',
      'Nothing named: give sources and --collection NAME, or names of pipelines in embedline.config.ts, or --all.',
    );
  }
  const chosen = names.map((name) => fromFile(name, file, flags));
  // Detached, it is a server that reads them.
  if (flags['detach'] !== true) for (const { sources } of chosen) programs?.allowSources(sources);
  return chosen;
}

function fromFlags(sources: readonly Source[], flags: PipelineFlags, cwd: string): PipelineDefinition {
  const aside = (['all', 'config'] as const).find((flag) => flags[flag] !== undefined);
  if (aside !== undefined)
    throw new EmbedlineError(
      'USAGE',
      `--${aside} is for pipelines of a configuration file; with --collection the arguments are sources.`,
    );
  if (sources.length === 0) {
    throw new EmbedlineError(
      'USAGE',
      'Nothing to read: name files, directories, globs, or - for standard input.',
    );
  }
  const { collection = '', pipeline: name = collection } = flags;
  assertCollectionName(collection);
  const named = pipelineNameSchema.safeParse(name);
  if (!named.success)
    throw new EmbedlineError(
      'USAGE',
      `--pipeline ${JSON.stringify(name)}: ${named.error.issues[0]?.message}.`,
    );
  return { ...parse({ ...given(flags), sources, collection }), name, directory: cwd };
}

function fromFile(name: string, file: ConfigFile | null, flags: PipelineFlags): PipelineDefinition {
  const defined = file?.pipelines.get(name);
  if (file === null || defined === undefined) throw notThere(name, file);
  assertCollectionName(defined.collection);
  const { directory } = defined;
  return { ...parse({ collection: name, ...file.inputs.get(name), ...given(flags) }), name, directory };
}

/** The flags that say something of the pipeline, as a definition says it. */
function given(flags: PipelineFlags): Record<string, unknown> {
  const keys = Object.keys(pipelineSchema.shape).filter((key) => key !== 'collection');
  return Object.fromEntries(
    keys.flatMap((key) => (flags[key] === undefined ? [] : [[key, flags[key]] as const])),
  );
}

function parse(input: Record<string, unknown>) {
  const parsed = pipelineSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new EmbedlineError('USAGE', `${describeIssues(parsed.error, pipelineSchema).join('; ')}.`);
}

function notThere(name: string, file: ConfigFile | null): EmbedlineError {
  const files = `If ${JSON.stringify(name)} is a source to read, name the collection for it: --collection NAME.`;
  if (file === null) {
    return new EmbedlineError(
      'USAGE',
      `There is no configuration file here that could define a pipeline ${JSON.stringify(name)}. ${files}`,
    );
  }
  const names = [...file.pipelines.keys()].join(', ');
  return new EmbedlineError(
    'USAGE',
    `${file.path} has no pipeline ${JSON.stringify(name)}; it has ${names === '' ? 'none' : names}. ${files}`,
  );
}
