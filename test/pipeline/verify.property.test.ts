import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { payloadHash, pointId, textHash, type ChunkRecord, type StoredPoint } from '@embedline/core';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { isSound } from '../../apps/producer/src/verify/verify.ts';
import { applyEdit, edit, writeDrafts, type Drafts } from '../support/changing-corpus.ts';
import { fakeModel, fakeVector } from '../support/fake-embedder.ts';
import { inProcess } from '../support/in-process.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const MODEL = fakeModel('one', 16);

/** What can be done to one stored point behind embedline's back. */
const CHANGES: Readonly<Record<string, (point: StoredPoint) => StoredPoint | null>> = {
  'another text': (point) => withChunk(point, { text: `${point.chunk.text} And more.` }),
  'another text, with its hash': (point) => {
    const text = `${point.chunk.text} And more.`;
    return withChunk(point, { text, textHash: textHash('', text) });
  },
  'another title': (point) => withChunk(point, { title: 'Another' }),
  'other metadata': (point) => withChunk(point, { metadata: { year: 1066 } }),
  'other metadata, with their hash': (point) => {
    const metadata = { year: 1066 };
    return withChunk(point, {
      metadata,
      payloadHash: payloadHash(point.chunk, metadata),
    });
  },
  'another offset': (point) => withChunk(point, { start: point.chunk.start + 1 }),
  'another place in its document': (point) => withChunk(point, { chunkIndex: point.chunk.chunkIndex + 1 }),
  'another document': (point) => withChunk(point, { documentId: 'elsewhere' }),
  'another pipeline': (point) => withChunk(point, { pipeline: 'elsewhere' }),
  'another text hash': (point) => withChunk(point, { textHash: '0'.repeat(32) }),
  'a mark that lies': (point) =>
    withChunk(point, {
      documentMark: { fingerprint: '1'.repeat(32), chunkCount: 1, digest: '2'.repeat(32) },
    }),
  'the vector of another text': (point) => ({ ...point, vector: fakeVector(MODEL, 'something else') }),
  'no point any more': () => null,
};

/** Points that are added. */
const ADDITIONS: Readonly<Record<string, (point: StoredPoint) => StoredPoint>> = {
  'a point of a document that is none': (point) => asDocument(point, point.chunk.pipeline, 'none'),
  'a point beyond the end of its document': ({ chunk, ...point }) => ({
    ...point,
    chunk: { ...chunk, chunkIndex: 99, id: pointId(chunk.pipeline, chunk.documentId, 99) },
  }),
  'a second point for its chunk': (point) => withChunk(point, { id: pointId('x', 'y', 0) }),
  'a point of a pipeline that is none': (point) => asDocument(point, 'none', point.chunk.documentId),
};

function withChunk(point: StoredPoint, change: Partial<ChunkRecord>): StoredPoint {
  return { ...point, chunk: { ...point.chunk, ...change } };
}

function asDocument(point: StoredPoint, pipeline: string, documentId: string): StoredPoint {
  return withChunk(point, { pipeline, documentId, id: pointId(pipeline, documentId, 0), chunkIndex: 0 });
}

test.each([
  ['SQLite', 8, async () => openSqliteStore({ directory: await temporaryDirectory() })],
  [
    'Qdrant (double)',
    5,
    async () => {
      const double = await startQdrantDouble();
      onTestFinished(() => double.close());
      return openQdrantStore({ url: double.url });
    },
  ],
] as const)(
  'verify is sound after every ingest, and unsound after any one stored point was changed, removed or added: %s',
  { timeout: 120_000 },
  async (_, numRuns, open) => {
    const store = await open();
    onTestFinished(() => store.close());
    const system = inProcess(store);
    let stories = 0;
    const story = async (edits: readonly Parameters<typeof applyEdit>[1][][], which: number) => {
      const cwd = await mkdtemp(join(tmpdir(), 'embedline-verify-'));
      const collection = `verified-${(stories += 1)}`;
      let drafts: Drafts = applyEdit(new Map(), { kind: 'put', id: 'a', paragraphs: [0, 1, 2] });
      for (const some of edits) {
        drafts = some.reduce(applyEdit, drafts);
        // A document without text has no points, and is nothing that could be unsound.
        drafts = new Map(drafts).set('empty', { paragraphs: [' '], year: 1, file: 0 });
        const sources = await writeDrafts(cwd, drafts);
        const call = { collection, pipeline: 'docs', sources, cwd, model: MODEL, maxTokens: 16 };
        await system.ingest(call);
        const found = await system.verify(call);
        expect(isSound(found), JSON.stringify(found)).toBe(true);
        const stored = [...(await system.livePoints(collection)).values()];
        expect(found.points).toBe(stored.length);
        const point = stored[which % stored.length];
        if (point === undefined) continue;
        const [live] = await store.generations(collection);
        if (live === undefined) throw new Error('nothing live');
        const points = await store.open(live);
        const write = { runSequence: point.runSequence };
        const restore = () => points.upsert([point], write);
        for (const [name, change] of Object.entries(CHANGES)) {
          const changed = change(point);
          if (changed === null) await points.delete([point.chunk.id], write);
          else await points.upsert([changed], write);
          expect(isSound(await system.verify(call)), name).toBe(false);
          await restore();
        }
        for (const [name, add] of Object.entries(ADDITIONS)) {
          const added = add(point);
          await points.upsert([added], write);
          expect(isSound(await system.verify(call)), name).toBe(false);
          await points.delete([added.chunk.id], write);
        }
        expect(isSound(await system.verify(call))).toBe(true);
        await points.close();
      }
      for (const generation of await store.generations(collection)) await store.dropGeneration(generation);
      await rm(cwd, { recursive: true });
    };
    const edits = fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 });
    await fc.assert(fc.asyncProperty(edits, fc.nat(), story), { numRuns });
  },
);
