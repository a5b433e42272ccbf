import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { addPipelineOptions, addRunOptions } from '../../apps/producer/src/command-line/options.ts';
import { choosePipelines, type PipelineFlags } from '../../apps/producer/src/pipeline/choose-pipelines.ts';
import { pipelineSchema } from '../../apps/producer/src/pipeline/definition.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const NEGATED = ['reuse', 'header', 'ignore', 'sidecars'] as const;

function parseFlags(args: readonly string[]): PipelineFlags {
  const command = addRunOptions(addPipelineOptions(new Command('ingest').argument('[sources...]')));
  return command.parse([...args], { from: 'user' }).opts<PipelineFlags>();
}

async function define(args: readonly string[], defined: Record<string, boolean> = {}) {
  const directory = await temporaryDirectory();
  const pipelines = { docs: { sources: ['docs'], ...defined } };
  await writeFile(join(directory, 'embedline.config.json'), JSON.stringify({ pipelines }));
  const [definition] = await choosePipelines(['docs'], parseFlags(args), directory);
  return definition;
}

test('the flags of an ingest that can be negated are these', () => {
  const command = addRunOptions(addPipelineOptions(new Command('ingest')));
  const negated = command.options.filter(({ negate }) => negate).map((option) => option.attributeName());
  // --no-commands is of the command alone: a configuration file cannot allow its own programs.
  expect(negated.sort()).toEqual(['commands', ...NEGATED].sort());
});

describe.each(NEGATED)('%s', (key) => {
  test('is what the configuration file says when no flag was given', async () => {
    expect(await define([], { [key]: false })).toMatchObject({ [key]: false });
    expect(await define([], { [key]: true })).toMatchObject({ [key]: true });
    expect(await define(['--chunk-tokens', '9'], { [key]: false })).toMatchObject({ [key]: false });
  });

  test('is what the definition has as its default when neither says anything', async () => {
    const usual = pipelineSchema.parse({ sources: ['docs'], collection: 'docs' })[key];
    expect(usual).not.toBe(false);
    expect((await define([]))?.[key]).toBe(usual);
    const [definition] = await choosePipelines(['docs'], parseFlags(['--collection', 'docs']), '/');
    expect(definition?.[key]).toBe(usual);
  });

  test('is false for the flag, whatever the file says, and for sources without a file', async () => {
    expect(await define([`--no-${key}`], { [key]: true })).toMatchObject({ [key]: false });
    expect(await define([`--no-${key}`])).toMatchObject({ [key]: false });
    const flags = parseFlags(['--collection', 'docs', `--no-${key}`]);
    expect(await choosePipelines(['docs'], flags, '/')).toMatchObject([{ [key]: false }]);
  });

  test('changes no other flag', async () => {
    const definition = await define([`--no-${key}`]);
    expect(NEGATED.filter((name) => definition?.[name] === false)).toEqual([key]);
  });
});
