import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Batcher,
  chunkRecordsOf,
  decodeJob,
  DEFAULT_BATCH_LIMITS,
  EmbedlineError,
  encodeJob,
  environmentVariables,
  jobId,
  loadConfig,
  parseJobId,
  pointId,
  redactSecrets,
  Releasers,
  textHash,
} from '@embedline/core';
import { chunkOf } from '../support/points.ts';

describe('ids', () => {
  test('are the same in every version: stored points are found by them', () => {
    expect(pointId('docs', 'a', 0)).toBe('16a65512-a408-8aff-bc24-7f607918ba5d');
    expect(textHash('', 'hello world')).toHaveLength(32);
    expect(textHash('a', 'bc')).not.toBe(textHash('ab', 'c'));
    expect(pointId('a', 'b', 1)).not.toBe(pointId('ab', '', 1));
  });

  test('job ids can be read back, and are ones that BullMQ takes', () => {
    expect(parseJobId(jobId('20261123T190002-7f0df7', 12))).toEqual({
      runId: '20261123T190002-7f0df7',
      batchIndex: 12,
    });
    expect(jobId('r', 1)).not.toContain(':');
    expect(parseJobId('repeat:x')).toBeNull();
  });
});

describe('jobs', () => {
  const chunks = [
    chunkOf('a', 'one', { metadata: { year: 1 } }),
    chunkOf('a', 'two', { chunkIndex: 1, metadata: { year: 1 } }),
    chunkOf('b', 'three'),
  ];

  test('survive the queue', () => {
    const job = encodeJob('run-1', 0, chunks);
    expect(job.documents).toHaveLength(2);
    const records = chunkRecordsOf(decodeJob(JSON.parse(JSON.stringify(job))), 'docs');
    expect(records.map((record) => ({ ...record, metadata: { ...record.metadata } }))).toEqual(chunks);
  });

  test('made of chunks of other jobs keep what a newer program wrote in these, beside each document and chunk', () => {
    const [one, two] = [encodeJob('run-1', 0, chunks), encodeJob('run-1', 1, [chunkOf('c', 'four')])];
    const newer = (job: typeof one, own: number) => ({
      ...job,
      later: { for: 'all' },
      own,
      documents: job.documents.map((document) => ({ ...document, language: `of ${document.id}` })),
      chunks: job.chunks.map((chunk) => ({ ...chunk, page: chunk.chunkIndex })),
    });
    const jobs = [newer(one, 1), newer(two, 2)].map((job) => decodeJob(JSON.parse(JSON.stringify(job))));
    const again = encodeJob('run-2', 0, jobs.flatMap((job) => chunkRecordsOf(job, 'docs')).toReversed());
    expect(again).toMatchObject({ runId: 'run-2', later: { for: 'all' } });
    // The jobs did not agree on this one.
    expect(again).not.toHaveProperty('own');
    expect(again.documents.map((document) => document['language'])).toEqual(['of c', 'of b', 'of a']);
    expect(again.chunks.map((chunk) => chunk['page'])).toEqual([0, 0, 1, 0]);
    expect(encodeJob('run-3', 0, chunks)).toEqual({ ...one, runId: 'run-3' });
  });

  test('that are not ours are refused by field, without their text', () => {
    const job = encodeJob('run-1', 0, chunks);
    const bad = { ...job, chunks: [{ ...job.chunks[0], id: '../../etc/passwd', text: 'a secret text' }] };
    expect(() => decodeJob(bad)).toThrow(/chunks\.0\.id/);
    expect(() => decodeJob(bad)).not.toThrow(/secret/);
    // Within a version, fields that this one does not know are passed on, and nothing acts on them.
    expect(decodeJob({ ...job, model: 'http://evil' })).toMatchObject(job);
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => decodeJob(value)).toThrow(EmbedlineError);
      }),
    );
  });
});

test('batches hold every chunk once, in order, within their bounds', () => {
  const limits = { maxChunks: 5, maxTokens: 40, maxBytes: 120 };
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          document: fc.constantFrom('a', 'b'),
          length: fc.integer({ min: 1, max: 200 }),
          tokens: fc.integer({ min: 1, max: 60 }),
        }),
      ),
      (sizes) => {
        const chunks = sizes.map(({ document, length, tokens }, chunkIndex) => ({
          ...chunkOf(document, 'x'.repeat(length), { chunkIndex }),
          tokens,
        }));
        const batcher = new Batcher(limits);
        const batches = chunks.map((chunk) => batcher.add(chunk)).filter((batch) => batch !== null);
        const last = batcher.flush();
        const all = last.length > 0 ? [...batches, last] : batches;
        expect(all.flat()).toEqual(chunks);
        for (const batch of all) {
          if (batch.length === 1) continue;
          expect(batch.length).toBeLessThanOrEqual(limits.maxChunks);
          expect(batch.reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThanOrEqual(limits.maxTokens);
          expect(batch.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(limits.maxBytes);
        }
      },
    ),
  );
  expect(DEFAULT_BATCH_LIMITS.maxBytes).toBe(262_144);
});

test('what was acquired is released last in, first out, each once, whatever fails', async () => {
  const order: number[] = [];
  const releasers = new Releasers();
  releasers.add(() => void order.push(1));
  releasers.add(() => {
    order.push(2);
    throw new Error('two');
  });
  releasers.own({ close: () => void order.push(3) });
  await expect(releasers.release()).rejects.toThrow('two');
  await releasers.release();
  expect(order).toEqual([3, 2, 1]);
});

test('who releases while that is under way already waits for its end', async () => {
  const gate = Promise.withResolvers<void>();
  const order: string[] = [];
  const releasers = new Releasers();
  releasers.add(() => void order.push('acquired first'));
  releasers.add(() => gate.promise);
  const both = ['one', 'two'].map((who) => releasers.release().then(() => order.push(who)));
  await yieldToEventLoop();
  order.push('acquired last');
  gate.resolve();
  await Promise.all(both);
  expect(order).toEqual(['acquired last', 'acquired first', 'one', 'two']);
});

describe('configuration', () => {
  test('defaults, and empty variables count as not set', () => {
    expect(loadConfig({ QDRANT_URL: '', REDIS_URL: '', HOME: '/home/me' }, '/here')).toMatchObject({
      redisUrl: null,
      qdrantUrl: null,
      dataDirectory: expect.stringMatching(/^\/.*\/embedline\/projects\/here-[0-9a-f]{12}$/),
      prefix: '{embedline}',
    });
  });

  test('every problem is named at once, no value is shown', () => {
    const load = () =>
      loadConfig({ REDIS_URL: 'http://:hidden@x', EMBEDLINE_PREFIX: 'plain', EMBEDLINE_LOG_LEVEL: 'loud' });
    expect(load).toThrow(/REDIS_URL.*EMBEDLINE_PREFIX.*EMBEDLINE_LOG_LEVEL/s);
    expect(load).not.toThrow(/hidden/);
    expect(Object.keys(environmentVariables)).toContain('QDRANT_API_KEY');
  });
});

test('secrets do not get into texts', () => {
  const texts = [
    'redis://user:p@ss@host:1/0',
    'rediss://:hunter2@h',
    '{"api-key":"hunter2"}',
    'api_key=hunter2',
    'Authorization: Bearer hunter2',
    'password: hunter2',
  ];
  for (const text of texts) expect(redactSecrets(text)).not.toMatch(/hunter2|p@ss/);
  expect(redactSecrets('http://host:6333/path?a=b@c is fine')).toBe('http://host:6333/path?a=b@c is fine');
});
