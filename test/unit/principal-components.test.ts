import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  principalComponents,
  project,
} from '../../packages/core/src/embedder/static/principal-components.ts';

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);

test('points on a line have one component, along it', () => {
  // (1, 2) + t (3, 4), for t = -1, 0, 1: variance 25 * 2/3 along (0.6, 0.8), none across.
  const rows = Float32Array.from([-2, -2, 1, 2, 4, 6]);
  const found = principalComponents(rows, 2);
  expect([...found.mean]).toEqual([1, 2]);
  expect(found.variances[0]).toBeCloseTo(50 / 3, 10);
  expect(found.variances[1]).toBeCloseTo(0, 10);
  expect(found.components[0]?.[0]).toBeCloseTo(0.6, 10);
  expect(found.components[0]?.[1]).toBeCloseTo(0.8, 10);
  const line = project(rows, found, 1);
  [-5, 0, 5].forEach((coordinate, index) => expect(line[index]).toBeCloseTo(coordinate, 5));
});

test('components are orthonormal, in order of variance, and keep distances when all are kept', () => {
  const matrix = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 2, max: 20 }))
    .chain(([dimensions, count]) =>
      fc
        .array(fc.integer({ min: -1000, max: 1000 }), {
          minLength: dimensions * count,
          maxLength: dimensions * count,
        })
        .map((values) => ({ dimensions, rows: Float32Array.from(values, (value) => value / 100) })),
    );
  fc.assert(
    fc.property(matrix, ({ dimensions, rows }) => {
      const found = principalComponents(rows, dimensions);
      found.components.forEach((a, i) =>
        found.components.forEach((b, j) => expect(dot(a, b)).toBeCloseTo(i === j ? 1 : 0, 9)),
      );
      expect(found.variances).toEqual(found.variances.toSorted((a, b) => b - a));
      const projected = project(rows, found, dimensions);
      const row = (values: Float32Array, index: number) =>
        values.subarray(index * dimensions, (index + 1) * dimensions);
      const distance = (values: Float32Array, index: number) =>
        Math.hypot(...row(values, 0).map((value, at) => value - (row(values, index)[at] ?? 0)));
      for (let index = 1; index < rows.length / dimensions; index += 1)
        expect(distance(projected, index)).toBeCloseTo(distance(rows, index), 3);
    }),
  );
});
