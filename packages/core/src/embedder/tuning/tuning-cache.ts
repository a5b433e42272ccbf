import type { InstructionSet } from '@embedline/kernel';
import { readStateFile, writeStateEntry, type StateFile } from '../../state/state-file.ts';
import type { ModelSpec } from '../embedder.ts';
import { inferenceTuningSchema, type InferenceTuning } from './inference-tuning.ts';
import type { MachineLimits } from './machine-limits.ts';

/** Of the format of `tuning.json`; see docs/formats.md. */
export const TUNING_VERSION = 1;

const MAX_TUNINGS = 200;

/** What the fastest way to run a model depends on besides the model. */
export interface RunsOn extends MachineLimits {
  /** Of the kernel; absent for onnxruntime. */
  readonly instructionSet?: InstructionSet;
}

/** What was measured on this machine before, in `<dataDirectory>/tuning.json`. A file that is damaged counts as empty. */
export class TuningCache {
  readonly #state: StateFile<InferenceTuning>;

  constructor(dataDirectory: string) {
    this.#state = {
      home: dataDirectory,
      name: 'tuning.json',
      version: TUNING_VERSION,
      entry: inferenceTuningSchema,
      maxEntries: MAX_TUNINGS,
    };
  }

  async get(model: ModelSpec, machine: RunsOn): Promise<InferenceTuning | null> {
    const found = await readStateFile(this.#state);
    return found.kind === 'newer' ? null : (found.entries[keyOf(model, machine)] ?? null);
  }

  /** Does nothing where nothing can be written: measuring again costs a few seconds. */
  async set(model: ModelSpec, machine: RunsOn, tuning: InferenceTuning): Promise<void> {
    await writeStateEntry(this.#state, keyOf(model, machine), tuning);
  }
}

/** The hash is another one for each engine. */
function keyOf({ hash, dtype }: ModelSpec, machine: RunsOn): string {
  const { cpuModel, cores, memoryBytes, instructionSet } = machine;
  const gibibytes = (memoryBytes / 1024 ** 3).toFixed(1);
  const by = instructionSet === undefined ? '' : `, ${instructionSet}`;
  return `${hash.slice(0, 16)} ${dtype}, ${cpuModel}, ${cores} cores, ${gibibytes} GiB${by}`;
}
