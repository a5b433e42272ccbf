import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EmbedlineError } from '../errors.ts';
import { describeFinding, ok, problem, type Finding } from '../finding.ts';
import type { Embedder, ModelSpec } from './embedder.ts';
import { isShippedModel } from './resolve-model.ts';

/** Texts with the vectors that the original model gives them; `golden.json` of the models folder. */
export type References = readonly { readonly text: string; readonly vector: readonly number[] }[];

const referencesSchema = z.object({
  model: z.string(),
  items: z.array(z.object({ text: z.string().min(1), vector: z.array(z.number()) })),
});

/**
 * SHA-256 of the bits that the kernel gives the canaries, by the hash of the model: they are the same on every machine.
 * A new arithmetic makes a new hash and needs a new entry, which a test asks for.
 */
const KERNEL_BITS: Readonly<Record<string, string>> = {
  '564a814cde7e5a900250b7362fc8fc2315fa390caecc35ccfc9f7f1a08269cf9':
    '333a4c8668782157289791d60d7b1985c1228e2e3b2b3f51737a31a47223f64c',
};

/** The shipped model reaches 0.9977 on each of its references (models/MODEL.md); a broken kernel is far off. */
const MIN_COSINE = 0.995;
const USUAL_REMEDY = 'Do not embed here: report the CPU and the versions of Node and onnxruntime-node.';
const KERNEL_REMEDY =
  'Do not embed with the kernel here: use --engine onnxruntime, and report the CPU and what embedline doctor says of the engine.';
/** Short ones come first in the file: a few milliseconds each. */
const CANARIES = 8;

/** The references of a model that ships with embedline; null for any other, or when the folder has none. */
export async function readReferences(model: ModelSpec, modelsDirectory: string): Promise<References | null> {
  if (!isShippedModel(model)) return null;
  const text = await readFile(join(modelsDirectory, 'golden.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const parsed = referencesSchema.safeParse(JSON.parse(text));
  return parsed.success && parsed.data.model === model.id ? parsed.data.items.slice(0, CANARIES) : null;
}

/**
 * Embeds canary texts alone and together: this machine must give them the vectors of the original model, under the kernel
 * to the bit those of every other machine, and a text the same vector in any company.
 */
export async function examineCanaries(embedder: Embedder, references: References): Promise<Finding> {
  const check = 'canary vectors';
  const remedy = embedder.model.engine === 'kernel' ? KERNEL_REMEDY : USUAL_REMEDY;
  const texts = references.map(({ text }) => text);
  const together = await embedder.embed(texts);
  const cosines = references.map(({ vector }, index) => cosine(vector, together.vectors[index] ?? []));
  const least = cosines.reduce((least, cosine) => Math.min(least, cosine), Infinity);
  // Not `<`: a vector that is not a number must not pass.
  if (!(least >= MIN_COSINE)) {
    return problem(
      check,
      `Model ${embedder.model.id} gives other vectors than its references on this machine (cosine ${least.toFixed(4)}, ` +
        `${MIN_COSINE} at least is expected).`,
      remedy,
    );
  }
  const bits = KERNEL_BITS[embedder.model.hash];
  if (bits !== undefined && bits !== bitsOf(together.vectors)) {
    return problem(
      check,
      `The kernel gives the canary texts of model ${embedder.model.id} other bits on this machine than on others.`,
      remedy,
    );
  }
  const alone = await Promise.all(texts.map((text) => embedder.embed([text])));
  const different = alone.filter(({ vectors: [vector] }, index) => !same(vector, together.vectors[index]));
  if (different.length > 0) {
    return problem(
      check,
      `Model ${embedder.model.id} gives ${different.length} of ${texts.length} texts another vector alone than together with others.`,
      remedy,
    );
  }
  return ok(
    check,
    `${texts.length} texts, cosine ${least.toFixed(4)} or better, the same alone and together` +
      (bits === undefined ? '' : ', and the same bits as on every machine'),
  );
}

function bitsOf(vectors: readonly Float32Array[]): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of vectors)
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}

/** @throws EmbedlineError MODEL_INVALID when this machine gives the canary texts other vectors than it should */
export async function assertCanaries(embedder: Embedder, references: References): Promise<void> {
  const finding = await examineCanaries(embedder, references);
  if (finding.verdict === 'problem') throw new EmbedlineError('MODEL_INVALID', describeFinding(finding));
}

/** Of the reference with a unit vector: references are rounded, so their length is not exactly 1. */
function cosine(reference: ArrayLike<number>, vector: ArrayLike<number>): number {
  let [dot, square] = [0, 0];
  for (let index = 0; index < reference.length; index += 1) {
    const value = reference[index] ?? 0;
    dot += value * (vector[index] ?? Number.NaN);
    square += value * value;
  }
  return dot / Math.sqrt(square);
}

function same(a: Float32Array | undefined, b: Float32Array | undefined): boolean {
  return a !== undefined && b?.length === a.length && a.every((value, index) => value === b[index]);
}
