import {
  describeEngine,
  engineSettings,
  listInstructionSets,
  ok,
  type Config,
  type Finding,
} from '@embedline/core';
import type { ChosenEngine } from '../pipeline/choose-engine.ts';

/**
 * What computes the vectors of a model here, and why it is not something faster.
 * @throws EmbedlineError CONFIG_INVALID for an EMBEDLINE_KERNEL that this machine cannot run
 */
export function describeChosenEngine(
  { model: { spec }, whyNotKernel }: ChosenEngine,
  { kernelInstructionSet }: Pick<Config, 'kernelInstructionSet'>,
): Finding[] {
  if (spec.engine === undefined) return [];
  if (whyNotKernel !== null) return [ok('engine', `${spec.engine}, since ${whyNotKernel}`)];
  const settings = engineSettings(spec, { instructionSet: kernelInstructionSet });
  if (settings.name !== 'kernel') return [ok('engine', settings.name)];
  const { instructionSet } = settings;
  const sets = listInstructionSets();
  const faster = sets.slice(
    0,
    sets.findIndex(({ name }) => name === instructionSet),
  );
  const why = faster.map(({ name, usable, reason }) => `${name}: ${usable ? 'EMBEDLINE_KERNEL' : reason}`);
  const not = why.length === 0 ? 'the fastest there is' : `not ${why.join('; ')}`;
  return [ok('engine', `${describeEngine(spec) ?? ''}, instruction set ${instructionSet} (${not})`)];
}
