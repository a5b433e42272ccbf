import fc from 'fast-check';
import { expect, test } from 'vitest';
import { upsertBodies } from '../../packages/core/src/vector-store/qdrant/write-bodies.ts';
import { vectorJson } from '../../packages/core/src/vector-store/qdrant/vector-json.ts';
import { pointOf } from '../support/points.ts';

const read = (vector: Float32Array) =>
  Float32Array.from(JSON.parse(vectorJson(vector).toString('latin1')) as number[]);

test('every 32-bit float is read back to the bit, whatever its size and sign', () => {
  const anyBits = fc.uint32Array({ maxLength: 50 }).map((bits) => new Float32Array(bits.buffer));
  const finite = anyBits.filter((vector) => vector.every(Number.isFinite));
  const usual = fc.float32Array({ min: -1, max: 1, noNaN: true, maxLength: 50 });
  fc.assert(
    fc.property(fc.oneof(usual, finite), (vector) => {
      expect(new Uint32Array(read(vector).buffer)).toEqual(new Uint32Array(Float32Array.from(vector).buffer));
    }),
    { numRuns: 2000 },
  );
  for (const edge of [0, -0, 1, -1, 0.1, 0.5, 0.99999994, 1e-13, 1e-45, 3.4e38, 0.09999999]) {
    const [value] = Float32Array.of(edge);
    expect(read(Float32Array.of(edge))[0]).toBe(value);
  }
});

test('no number of a unit vector is longer than it has to be', () => {
  fc.assert(
    fc.property(fc.float({ min: Math.fround(1e-6), max: Math.fround(0.999), noNaN: true }), (value) => {
      const [written = ''] =
        /[1-9]\d*(?=\])/.exec(vectorJson(Float32Array.of(value)).toString('latin1')) ?? [];
      expect(written.length).toBeLessThanOrEqual(9);
      const shorter = Number(value.toPrecision(Math.max(written.length - 1, 1)));
      if (written.length > 1) expect(Math.fround(shorter)).not.toBe(value);
    }),
    { numRuns: 2000 },
  );
});

interface Body {
  readonly update_filter: unknown;
  readonly points: readonly { readonly id: string; readonly payload: { readonly text: string } }[];
}

test('requests are bounded by count and bytes, in order, each made when it is asked for', () => {
  let taken = 0;
  const points = Array.from({ length: 600 }, (_, index) => {
    const point = pointOf(`d${index}`, index === 300 ? 'é'.repeat(5_000_000) : `text ${index} "é"\u2028`);
    return Object.defineProperty({ ...point }, 'vector', { get: () => ((taken += 1), point.vector) });
  });
  const bodies = upsertBodies(points, 7);
  const first = bodies.next();
  expect(taken).toBeLessThan(300);
  const texts = [first.value as Buffer, ...bodies].map((body) => body.toString('utf8'));
  const parsed = texts.map((text) => JSON.parse(text) as Body);
  // 10 MB in one point cannot be split, and takes no company along.
  expect(parsed.map((body) => body.points.length)).toEqual([256, 44, 1, 256, 43]);
  expect(parsed.flatMap((body) => body.points.map(({ id }) => id))).toEqual(
    points.map(({ chunk }) => chunk.id),
  );
  expect(parsed[0]?.points[3]?.payload.text).toBe('text 3 "é"\u2028');
  for (const { update_filter } of parsed)
    expect(update_filter).toEqual({ must: [{ key: 'run_sequence', range: { lte: 7 } }] });
});
