import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { ModelSpec } from '../embedder.ts';
import { inferenceTuningSchema, type InferenceTuning } from './inference-tuning.ts';
import type { MachineLimits } from './machine-limits.ts';

const cacheSchema = z.record(z.string(), inferenceTuningSchema);

/** What was measured on this machine before, in `<dataDirectory>/tuning.json`. A file that is damaged counts as empty. */
export class TuningCache {
  readonly #file: string;

  constructor(dataDirectory: string) {
    this.#file = join(dataDirectory, 'tuning.json');
  }

  async get(model: ModelSpec, limits: MachineLimits): Promise<InferenceTuning | null> {
    return (await this.#read())[keyOf(model, limits)] ?? null;
  }

  /** Does nothing where nothing can be written: measuring again costs a few seconds. */
  async set(model: ModelSpec, limits: MachineLimits, tuning: InferenceTuning): Promise<void> {
    const entries = { ...(await this.#read()), [keyOf(model, limits)]: tuning };
    const draft = `${this.#file}.${process.pid}`;
    try {
      await mkdir(dirname(this.#file), { recursive: true });
      await writeFile(draft, `${JSON.stringify(entries, null, 2)}\n`);
      await rename(draft, this.#file);
    } catch {
      // A read-only container.
    }
  }

  async #read(): Promise<z.infer<typeof cacheSchema>> {
    try {
      return cacheSchema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
    } catch {
      return {};
    }
  }
}

/** Everything that the fastest way depends on. */
function keyOf({ hash, dtype }: ModelSpec, { cpuModel, cores, memoryBytes }: MachineLimits): string {
  const gibibytes = (memoryBytes / 1024 ** 3).toFixed(1);
  return `${hash.slice(0, 16)} ${dtype}, ${cpuModel}, ${cores} cores, ${gibibytes} GiB`;
}
