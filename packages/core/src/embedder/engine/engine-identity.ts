import { createHash } from 'node:crypto';
import { ARITHMETIC_VERSION } from '@embedline/kernel';
import { EmbedlineError } from '../../errors.ts';
import type { ModelSpec } from '../embedder.ts';
import { ENGINE_NAMES, type EngineName } from './engine-name.ts';

/**
 * The part of a model's specification that names its engine. Engines give the same files other vectors, so the kernel's
 * `hash` is made of the hash of the files and of the arithmetic: a program that knows nothing of engines finds another
 * hash than that of its files, and refuses. Under onnxruntime the hash is that of the files, as it always was.
 * @param filesHash SHA-256 (hex) by which the model's files are known
 */
export function engineIdentity(
  engine: EngineName,
  filesHash: string,
): Pick<ModelSpec, 'hash' | 'engine' | 'arithmeticVersion'> {
  if (engine === 'onnxruntime') return { hash: filesHash, engine };
  const arithmetic = `embedline ${engine}, arithmetic ${ARITHMETIC_VERSION}\n${filesHash}`;
  const hash = createHash('sha256').update(arithmetic).digest('hex');
  return { hash, engine, arithmeticVersion: ARITHMETIC_VERSION };
}

/**
 * The engine of a stored specification; undefined where it names none: a static model, or one of a version that had
 * onnxruntime alone.
 * @throws EmbedlineError VERSION_UNSUPPORTED for an engine or an arithmetic that this version does not have
 */
export function engineOf({ id, engine, arithmeticVersion }: ModelSpec): EngineName | undefined {
  if (engine === undefined) return undefined;
  const known = ENGINE_NAMES.find((name) => name === engine);
  if (known === undefined)
    throw new EmbedlineError(
      'VERSION_UNSUPPORTED',
      `The vectors of ${id} were computed by the engine "${engine}", which this version of embedline does not have. ` +
        `Update embedline on this machine.`,
    );
  if (known === 'kernel' && arithmeticVersion !== ARITHMETIC_VERSION)
    throw new EmbedlineError(
      'VERSION_UNSUPPORTED',
      `The vectors of ${id} were computed by arithmetic ${arithmeticVersion ?? 'unknown'} of the kernel, and this version of ` +
        `embedline has arithmetic ${ARITHMETIC_VERSION}, which gives other vectors. Use the version that made them, or ingest with ` +
        `this one, which builds a new generation.`,
    );
  return known;
}

/** For people, e.g. `kernel (arithmetic 1)`; null for a model that names none. */
export function describeEngine({ engine, arithmeticVersion }: ModelSpec): string | null {
  if (engine === undefined) return null;
  return arithmeticVersion === undefined ? engine : `${engine} (arithmetic ${arithmeticVersion})`;
}
