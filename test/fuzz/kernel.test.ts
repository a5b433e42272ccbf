import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelError, listInstructionSets, openKernel, packWeights } from '@embedline/kernel';
import { nativeAddon } from '../../packages/kernel/src/native.ts';
import { randomWeights, SMALL } from '../support/kernel-model.ts';

// The long form, with sanitizers and other processors: npm run test:kernel.
const HEADER = { ...SMALL, layers: 1, hidden: 64, heads: 2, intermediate: 64, positions: 64 };
const good = randomWeights(HEADER);
const usable = listInstructionSets().flatMap(({ name, usable }) => (usable ? [name] : []));

describe('fuzz of the kernel', () => {
  test('whatever is damaged in the weights, they are refused or run without harm', async () => {
    const change = fc.record({
      // Mostly in the header, which holds the sizes.
      at: fc.oneof({ weight: 3, arbitrary: fc.nat(127) }, { weight: 1, arbitrary: fc.nat(good.length - 1) }),
      byte: fc.nat(255),
    });
    const length = fc.oneof(fc.constant(good.length), fc.nat(good.length));
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        length,
        fc.constantFrom(...usable),
        async (changes, bytes, instructionSet) => {
          const file = good.slice();
          for (const { at, byte } of changes) file[at] = byte;
          try {
            const kernel = await openKernel({ weights: file.subarray(0, bytes), instructionSet });
            kernel.embed(Int32Array.of(1, 2), Int32Array.of(2), new Float32Array(kernel.dimensions));
          } catch (error) {
            expect(error).toBeInstanceOf(KernelError);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('whatever the addon is called with, it answers with a status', async () => {
    const { addon } = nativeAddon();
    if (addon === null) return;
    const { memory, byteOffset, byteLength } = await packWeights(good);
    const image = new Uint8Array(memory, byteOffset, byteLength);
    const integers = fc.array(fc.oneof(fc.integer({ min: -2, max: 70 }), fc.integer()), { maxLength: 12 });
    const junk: unknown[] = [undefined, null, 'text', {}, [], new Uint8Array(3), new Float64Array(200), -1];
    const or = (value: unknown) =>
      fc.oneof({ weight: 6, arbitrary: fc.constant(value) }, fc.constantFrom(...junk));
    const call = addon as unknown as Record<string, (...values: unknown[]) => unknown>;
    fc.assert(
      fc.property(integers, integers, fc.nat(9), fc.nat(200_000), (ids, lengths, engine, bytes) => {
        const scratch = new Uint8Array(bytes);
        const status = call['embed']?.(
          engine,
          image,
          Int32Array.from(ids),
          Int32Array.from(lengths),
          new Float32Array(64 * lengths.length),
          scratch.subarray(addon.misalignment(scratch)),
        );
        const sum = lengths.reduce((total, length) => total + length, 0);
        const right = lengths.every((length) => length >= 1 && length <= 64) && sum === ids.length;
        if (!right || ids.some((id) => id < 0 || id >= HEADER.vocabulary)) expect(status).not.toBe(0);
        expect(status).toEqual(expect.any(Number));
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(
        fc.tuple(
          or(0),
          or(image),
          or(Int32Array.of(1)),
          or(Int32Array.of(1)),
          or(new Float32Array(64)),
          or(new Uint8Array(200_000)),
          or(new Float64Array(3)),
        ),
        (values) => {
          expect(call['embed']?.(...values)).toEqual(expect.any(Number));
          expect(call['pack']?.(...values.slice(1, 3))).not.toBe(0);
          expect(call['scratchBytes']?.(...values)).toEqual(expect.any(Number));
          expect(call['packedBytes']?.(values[2])).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
