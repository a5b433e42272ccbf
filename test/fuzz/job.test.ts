import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chunkRecordsOf, decodeJob, encodeJob, jobBytes } from '@embedline/core';
import { hostileText, nested, seeded } from '../support/hostile.ts';
import { chunkOf } from '../support/points.ts';

/** In every text of a job, and in the names of fields that are added: none of it may be in a message. */
const SECRET = 'chunk-text-that-nobody-may-log';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const metadata = fc.constantFrom<Record<string, string | number | null | string[]>>(
  {},
  { year: 2001, tags: ['a', 'b'], none: null },
  { constructor: 'x', prototype: SECRET },
);
const job = fc
  .array(fc.tuple(hostileText, metadata, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 5 })
  .map((chunks) =>
    encodeJob(
      'run-1',
      7,
      chunks.map(([text, fields, chunkIndex], index) =>
        chunkOf(`document ${index % 2}`, `${SECRET}${text}`, { chunkIndex, metadata: fields }),
      ),
    ),
  )
  .map((made) => JSON.stringify(made));

/** As JSON: a failure is told by nesting, and that must not be too deep for whoever tells it. */
const value: fc.Arbitrary<string> = fc.oneof(
  fc
    .constantFrom<Json>(
      null,
      true,
      -1,
      0.5,
      2 ** 53,
      1e308,
      '',
      SECRET,
      '../../etc/passwd',
      'file:///etc/passwd',
      'redis://user:secret@host:6379/0',
      [],
      {},
      [[SECRET]],
      { [SECRET]: SECRET },
      Array.from({ length: 5000 }, () => SECRET),
      Array.from({ length: 5000 }, () => ({})),
      SECRET.repeat(2000),
    )
    .map((one) => JSON.stringify(one)),
  fc.constantFrom(
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    '1e999',
    '"\\ud800"',
    nested('[', ']'),
    nested('{"a":', '}'),
  ),
  hostileText.map((text) => JSON.stringify(text)),
  fc.json({ maxDepth: 3 }),
);
const change = fc.record({
  /** Which place, of all there are. */
  at: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
  how: fc.constantFrom<'remove' | 'replace' | 'add'>('remove', 'replace', 'add'),
  name: fc.constantFrom('__proto__', 'constructor', 'toString', SECRET, 'path', 'url', 'vector', '0', ''),
  value,
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

/** Every list and object of a value, however deep. */
function containersOf(root: Json): (Json[] | { [name: string]: Json })[] {
  const found: (Json[] | { [name: string]: Json })[] = [];
  for (const waiting = [root]; waiting.length > 0;) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null) continue;
    found.push(next);
    for (const inner of Object.values(next)) waiting.push(inner);
  }
  return found;
}

function set(container: Json[] | { [name: string]: Json }, name: string, to: Json): void {
  // Not by assignment: an own `__proto__` is meant, as JSON.parse makes it.
  Object.defineProperty(container, name, { value: to, enumerable: true, configurable: true, writable: true });
}

function apply(root: Json, { at, how, name, value: written }: Change): Json {
  const to = JSON.parse(written) as Json;
  const places = containersOf(root).flatMap((container) =>
    (how === 'add' ? [name] : Object.keys(container)).map((own) => ({ container, own })),
  );
  const place = places[Math.floor(at * places.length)];
  if (place === undefined) return to;
  const { container, own } = place;
  if (how !== 'remove') set(container, own, to);
  else if (Array.isArray(container)) container.splice(Number(own), 1);
  else delete container[own];
  return root;
}

const KNOWN = ['batchIndex', 'chunks', 'documents', 'runId', 'version'];
const REFUSED = /^(JOB_INVALID|VERSION_UNSUPPORTED)$/;

/** True when it was taken. What is thrown must be the one error that is meant, without the text. */
function decodes(data: unknown): boolean {
  try {
    const decoded = decodeJob(data);
    const records = chunkRecordsOf(decoded, 'docs');
    expect(records.length).toBe(decoded.chunks.length);
    expect(decoded.chunks.length).toBeLessThanOrEqual(4096);
    expect(jobBytes(decoded)).toBeGreaterThan(0);
    for (const record of records) {
      expect(Object.getPrototypeOf(record.metadata)).toBeNull();
      expect([typeof record.text, typeof record.documentId]).toEqual(['string', 'string']);
    }
    expect(Object.keys(decoded)).toEqual(expect.arrayContaining(KNOWN));
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: 'EmbedlineError', code: expect.stringMatching(REFUSED) as string });
    const message = error instanceof Error ? error.message : '';
    expect(message).not.toContain(SECRET);
    expect(message).not.toMatch(/passwd|secret@/);
    expect(message.length).toBeLessThan(500);
    return false;
  }
}

test('a job is taken or refused by name, whatever was done to it, 1,500 cases', () => {
  const counts = { taken: 0, refused: 0 };
  const property = fc.property(job, fc.array(change, { maxLength: 3 }), (made, changes) => {
    const data = changes.reduce(apply, JSON.parse(made) as Json);
    const taken = decodes(data);
    counts[taken ? 'taken' : 'refused'] += 1;
    if (changes.length === 0) expect(taken).toBe(true);
  });
  fc.assert(property, seeded(1500));
  expect(counts.taken).toBeGreaterThan(100);
  expect(counts.refused).toBeGreaterThan(300);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('what is no job at all is refused, 250 cases', () => {
  fc.assert(
    fc.property(value, (data) => {
      expect(decodes(JSON.parse(data))).toBe(false);
    }),
    seeded(250),
  );
});

test('a list of a million entries is refused for its length, not read through', () => {
  const [written = ''] = fc.sample(job, { seed: 1, numRuns: 1 });
  const made = JSON.parse(written) as object;
  const huge = Array.from({ length: 1_000_000 }, () => ({}));
  for (const field of ['documents', 'chunks']) {
    expect(() => decodeJob({ ...made, [field]: huge })).toThrow(/Too big/);
  }
});
