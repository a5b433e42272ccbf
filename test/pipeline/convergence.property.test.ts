import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { onTestFinished, test } from 'vitest';
import { openQdrantStore } from '../../packages/core/src/vector-store/qdrant/qdrant-store.ts';
import { openSqliteStore } from '../../packages/core/src/vector-store/sqlite/sqlite-store.ts';
import { edit } from '../support/changing-corpus.ts';
import { inProcess } from '../support/in-process.ts';
import { Story, type Action } from '../support/ingest-story.ts';
import { startQdrantDouble } from '../support/qdrant-double/server.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('edits' as const),
      edits: fc.array(edit, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ingest' as const),
      cut: fc.option(
        fc.record({
          how: fc.constantFrom('abort' as const, 'fail-after' as const),
          call: fc.integer({ min: 1, max: 16 }),
        }),
        { freq: 2 },
      ),
      rebuild: fc.nat({ max: 9 }).map((n) => n === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('switch-model' as const, 'switch-chunking' as const, 'rollback' as const),
    }),
  },
);

test.each([
  ['SQLite', 25, async () => openSqliteStore({ directory: await temporaryDirectory() })],
  [
    'Qdrant (double)',
    12,
    async () => {
      const double = await startQdrantDouble();
      onTestFinished(() => double.close());
      return openQdrantStore({ url: double.url });
    },
  ],
] as const)(
  'whatever happens to corpus and collection, a finished ingest makes them equal: %s',
  { timeout: 300_000 },
  async (_, numRuns, open) => {
    const store = await open();
    onTestFinished(() => store.close());
    const system = inProcess(store);
    let stories = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(action, { minLength: 2, maxLength: 10 }),
        async (shared, actions) => {
          const directory = await mkdtemp(join(tmpdir(), 'embedline-story-'));
          stories += 1;
          const story = new Story(system, store, directory, shared, `story-${stories}`);
          await story.begin();
          for (const step of actions) await story.act(step);
          await story.ingest();
          for (const generation of await store.generations(`story-${stories}`))
            await store.dropGeneration(generation);
          await rm(directory, { recursive: true });
        },
      ),
      { numRuns },
    );
  },
);
