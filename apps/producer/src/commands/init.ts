import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { EmbedlineError } from '@embedline/core';
import { pipelineNameSchema, pipelineSchema } from '../pipeline/definition.ts';
import { describeIssues } from '../pipeline/describe-issues.ts';
import { starterJson, starterTypescript, type Starter } from '../pipeline/starter-file.ts';
import { isTerminal } from '../terminal/confirm.ts';
import { EXIT, printJson, printLine, type CommandContext } from './context.ts';

export interface InitFlags {
  readonly file: string;
  readonly name?: string;
  readonly metadataFields?: readonly string[];
  readonly cron?: string;
  readonly tz?: string;
  readonly force?: true;
  readonly json?: true;
}

interface Answers {
  readonly sources: readonly string[];
  readonly name: string;
  readonly metadataFields: readonly string[];
  readonly cron: string | undefined;
}

const PACKAGE = '@embedline/producer';

/** `embedline init`: writes a starter configuration file from flags or, on a terminal, from answers. @returns the exit code */
export async function initCommand(
  sources: readonly string[],
  flags: InitFlags,
  context: CommandContext,
): Promise<number> {
  const path = resolve(context.cwd, flags.file);
  const answers =
    sources.length === 0 && isTerminal(context.stdin) ? await ask(flags, context) : fromFlags(sources, flags);
  if (answers === null) {
    printLine(context.stderr, '\nNothing was written.');
    return EXIT.interrupted;
  }
  const { name, metadataFields, cron } = answers;
  const starter = {
    name,
    pipeline: {
      sources: [...answers.sources],
      ...(metadataFields.length === 0 ? {} : { metadataFields: [...metadataFields] }),
      ...(cron === undefined ? {} : { schedule: { cron, timeZone: flags.tz ?? 'UTC' } }),
    },
    importFrom: canImport(context.cwd) ? PACKAGE : null,
  };
  assertUsable(starter);
  await write(path, path.endsWith('.json') ? starterJson(starter) : starterTypescript(starter), flags);
  if (flags.json === true) printJson(context.stdout, { type: 'written', file: path, pipeline: name });
  else printLine(context.stdout, `Wrote ${flags.file}. Next: embedline plan ${name}`);
  return EXIT.done;
}

/** Before anything is written. @throws EmbedlineError USAGE */
function assertUsable({ name, pipeline }: Starter): void {
  const named = pipelineNameSchema.safeParse(name);
  const parsed = pipelineSchema.safeParse({ collection: name, ...pipeline });
  const problems = [
    ...(named.error === undefined
      ? []
      : [`name: ${named.error.issues.map(({ message }) => message).join('; ')}`]),
    ...(parsed.error === undefined || named.error !== undefined
      ? []
      : describeIssues(parsed.error, pipelineSchema)),
  ];
  if (problems.length > 0) throw new EmbedlineError('USAGE', `Nothing was written: ${problems.join('; ')}.`);
}

function fromFlags(sources: readonly string[], flags: InitFlags): Answers {
  const [first = './docs'] = sources;
  return {
    sources: sources.length === 0 ? [first] : sources,
    name: flags.name ?? nameOf(first),
    metadataFields: flags.metadataFields ?? [],
    cron: flags.cron,
  };
}

/** @returns null when Ctrl-C or Ctrl-D was the answer */
async function ask(flags: InitFlags, { stdin, stdout, signal }: CommandContext): Promise<Answers | null> {
  const prompt = createInterface({ input: stdin, output: stdout });
  const question = async (text: string, fallback: string) => {
    const answer = await prompt.question(`${text} [${fallback}] `, { signal });
    return answer.trim() === '' ? fallback : answer.trim();
  };
  try {
    const source = await question('What is to be embedded: a file, a directory or a glob?', './docs');
    const name = await question(
      'What shall the pipeline and its collection be called?',
      flags.name ?? nameOf(source),
    );
    const fields = await question('Which fields are to be kept, with commas between?', 'none');
    const cron = await question(
      'When is it to run again, as a cron pattern (e.g. 0 3 * * *)?',
      'only by hand',
    );
    return {
      sources: [source],
      name,
      metadataFields: fields === 'none' ? [] : fields.split(',').map((field) => field.trim()),
      cron: cron === 'only by hand' ? undefined : cron,
    };
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return null;
    throw error;
  } finally {
    prompt.close();
  }
}

async function write(path: string, text: string, { file, force }: InitFlags): Promise<void> {
  try {
    await writeFile(path, text, { flag: force === true ? 'w' : 'wx' });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new EmbedlineError(
      'USAGE',
      code === 'EEXIST'
        ? `${file} is there already. Change it with an editor, or replace it with --force.`
        : `${file} cannot be written (${code ?? 'unknown error'}).`,
      { cause },
    );
  }
}

/** `./docs/` is `docs`, `books/*.txt` is `books`. */
function nameOf(source: string): string {
  const fixed = source.replace(/\/[^/]*[*?[{].*$/, '');
  const name = basename(fixed)
    .replace(/\..*$/, '')
    .replaceAll(/[^\w-]+/g, '-');
  return /^[A-Za-z0-9]/.test(name) ? name : 'docs';
}

function canImport(directory: string): boolean {
  try {
    createRequire(join(directory, 'x.js')).resolve(PACKAGE);
    return true;
  } catch {
    return false;
  }
}
