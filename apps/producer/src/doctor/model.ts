import {
  chooseTuning,
  createEmbedder,
  examineCanaries,
  isShippedModel,
  ok,
  readReferences,
  warning,
  type Finding,
  type ResolvedModel,
} from '@embedline/core';
import { pipelineSchema, type PipelineDefinition } from '../pipeline/definition.ts';
import { findModel } from '../pipeline/find-model.ts';
import { chooseEngine, type ChosenEngine } from '../pipeline/choose-engine.ts';
import type { Check, Surroundings } from './check.ts';
import { describeChosenEngine } from './engine.ts';

/**
 * The models of the pipelines that are configured, or the default one: files, hash, vectors of canary texts, and how a
 * worker on this machine runs it.
 */
export const model: Check = {
  name: 'model',
  examine: async (surroundings) => {
    const findings: Finding[] = [];
    for (const { chosen, pinned } of await modelsOf(surroundings)) {
      const resolved = chosen.model;
      findings.push(describeModel(resolved, pinned));
      for (const finding of describeChosenEngine(chosen, surroundings.context.config)) findings.push(finding);
      for (const text of resolved.warnings)
        findings.push(warning('model', text, 'See "Which model" in the README.'));
      const more = [embedCanaries(resolved, surroundings), describeTuning(resolved, surroundings)];
      for (const finding of (await Promise.all(more)).flat()) findings.push(finding);
    }
    return findings;
  },
};

interface FoundModel {
  readonly chosen: ChosenEngine;
  /** False when files of any content would be taken. */
  readonly pinned: boolean;
}

/** Each once with each of its engines, however many pipelines have it. */
async function modelsOf({ context, file, store }: Surroundings): Promise<FoundModel[]> {
  const configured = await file().catch(() => null);
  const definitions = [...(configured?.pipelines.values() ?? [])];
  if (definitions.length === 0) definitions.push(withDefaults(context.cwd));
  const models = new Map<string, FoundModel>();
  for (const definition of definitions) {
    const resolved = await findModel(definition, context.config, { allowRemote: false });
    const generations = await store()
      .then((opened) => opened.generations(definition.collection))
      // The check of the store itself says what is wrong with it.
      .catch(() => []);
    const chosen = await chooseEngine(resolved, definition.engine, generations);
    const { hash } = chosen.model.spec;
    const pinned = isShippedModel(resolved.spec) || definition.modelSha256 !== undefined;
    models.set(hash, { chosen, pinned: pinned && models.get(hash)?.pinned !== false });
  }
  return [...models.values()];
}

function describeModel({ spec, filesHash }: ResolvedModel, pinned: boolean): Finding {
  const found = `${spec.id} ${spec.dtype}, ${spec.dimensions} dimensions, sha256 ${filesHash}`;
  if (pinned) return ok('model', `${found}, as pinned`);
  return warning(
    'model',
    `${found}, whatever its files hold.`,
    `Pin it in the configuration file: modelSha256: '${filesHash}'`,
  );
}

function withDefaults(directory: string): PipelineDefinition {
  return { ...pipelineSchema.parse({ sources: ['.'], collection: 'default' }), name: 'default', directory };
}

async function embedCanaries(resolved: ResolvedModel, { context }: Surroundings): Promise<Finding[]> {
  const references = await readReferences(resolved.spec, context.config.modelsDirectory);
  if (references === null) return [];
  const instructionSet = context.config.kernelInstructionSet;
  const embedder = await createEmbedder(resolved, { processes: 1, instructionSet });
  try {
    return [await examineCanaries(embedder, references)];
  } finally {
    await embedder.close();
  }
}

/** A static model has no network to run. */
async function describeTuning(resolved: ResolvedModel, { context }: Surroundings): Promise<Finding[]> {
  if (resolved.kind === 'static') return [];
  const { dataDirectory, kernelInstructionSet: instructionSet } = context.config;
  const { source, processes, threadsPerProcess, microBatchTokens } = await chooseTuning(resolved, {
    dataDirectory,
    measure: false,
    instructionSet,
  });
  const basis =
    source === 'usual'
      ? 'as is usually fastest; embedline-worker measures it when it first starts'
      : 'as was measured on this machine';
  const [what, threads] = [
    counted(processes, 'process', 'processes'),
    counted(threadsPerProcess, 'thread', 'threads'),
  ];
  return [ok('inference', `${what} of ${threads}, ${microBatchTokens} tokens at a time, ${basis}`)];
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
