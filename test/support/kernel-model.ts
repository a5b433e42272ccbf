import { encodeWeights, type Section, type WeightsHeader } from '@embedline/kernel';

/** A small encoder of random weights: what it computes means nothing, but goes through every part of the kernel. */
export const SMALL: WeightsHeader = {
  family: 'bert',
  layers: 2,
  hidden: 128,
  heads: 4,
  intermediate: 192,
  vocabulary: 50,
  positions: 600,
  positionOffset: 0,
  pooling: 'mean',
  normEpsilon: 1e-12,
  activationShift: 0.17,
  activation: 'gelu',
};

export function randomWeights(header: WeightsHeader, seed = 1): Uint8Array {
  const random = randomNumbers(seed);
  return encodeWeights(header, ({ name, type, shape }: Section) => {
    const [rows, columns = 1] = shape;
    const count = rows * columns;
    if (type === 'int8') return new Uint8Array(Int8Array.from({ length: count }, () => edgy(random)).buffer);
    const middle = /norm.*weight|smooth/.test(name) ? 1 : 0;
    const spread = /scale/.test(name) ? 0 : 0.3;
    const least = /scale/.test(name) ? 0.004 : 0;
    const values = Float32Array.from({ length: count }, () => middle + least + spread * (random() - 0.5));
    return new Uint8Array(values.buffer);
  });
}

/** -64 to 64, the ends more often than by chance. */
function edgy(random: () => number): number {
  const value = Math.round(random() * 160 - 80);
  return Math.max(-64, Math.min(64, value));
}

/** Equal numbers for equal seeds, 0 to 1. */
export function randomNumbers(seed: number): () => number {
  let state = Math.imul(seed, 2_654_435_761) >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_507) + 3_266_489_909) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}
