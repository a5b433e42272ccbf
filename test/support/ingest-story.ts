import { join } from 'node:path';
import { expect } from 'vitest';
import {
  EmbedlineError,
  pipelineFingerprint,
  type Generation,
  type ModelSpec,
  type RunProgress,
  type StoredPoint,
  type VectorStore,
} from '@embedline/core';
import type { Plan } from '../../apps/producer/src/plan/plan.ts';
import { applyEdit, writeDrafts, type Drafts, type Edit } from './changing-corpus.ts';
import { comparable, fromScratch } from './expected-points.ts';
import { fakeModel } from './fake-embedder.ts';
import { interferedStore } from './faulty-store.ts';
import type { IngestCall, InProcess } from './in-process.ts';

/** How an ingest is cut short: at its n-th call of the store, before or after that has had its effect. */
type Cut = { readonly how: 'abort' | 'fail-after'; readonly call: number } | null;

export type Action =
  | { readonly kind: 'edits'; readonly edits: readonly Edit[] }
  | { readonly kind: 'ingest'; readonly cut: Cut; readonly rebuild: boolean }
  | { readonly kind: 'switch-model' | 'switch-chunking' | 'rollback' };

const MODELS = [fakeModel('one', 16), fakeModel('two', 8)] as const;
const CHUNK_TOKENS = [16, 24] as const;

/** What readers see. */
interface Live {
  readonly generation: Generation | undefined;
  readonly points: Map<string, StoredPoint>;
}

/** A corpus and a collection that are to be kept in step, through everything that happens to them. */
export class Story {
  readonly #system: InProcess;
  readonly #store: VectorStore;
  readonly #directory: string;
  readonly #collection: string;
  /** Another pipeline shares the collection. */
  readonly #shared: boolean;
  #drafts: Drafts = new Map();
  #model: ModelSpec = MODELS[0];
  #maxTokens: number = CHUNK_TOKENS[0];

  constructor(system: InProcess, store: VectorStore, directory: string, shared: boolean, name: string) {
    this.#system = system;
    this.#store = store;
    this.#directory = directory;
    this.#shared = shared;
    this.#collection = name;
  }

  async begin(): Promise<void> {
    this.#drafts = applyEdit(new Map(), { kind: 'put', id: 'a', paragraphs: [0, 1, 2, 3] });
    if (!this.#shared) return;
    const sources = await writeDrafts(join(this.#directory, 'other'), this.#drafts);
    await this.#system.ingest({
      ...(await this.#call()),
      sources,
      cwd: join(this.#directory, 'other'),
      pipeline: 'other',
    });
  }

  async act(step: Action): Promise<void> {
    switch (step.kind) {
      case 'edits':
        this.#drafts = step.edits.reduce(applyEdit, this.#drafts);
        break;
      case 'switch-model':
        // One collection takes one model: where another pipeline lives, it stays.
        if (!this.#shared) this.#model = this.#model === MODELS[0] ? MODELS[1] : MODELS[0];
        break;
      case 'switch-chunking':
        this.#maxTokens = this.#maxTokens === CHUNK_TOKENS[0] ? CHUNK_TOKENS[1] : CHUNK_TOKENS[0];
        break;
      case 'rollback':
        await this.#rollback();
        break;
      case 'ingest':
        await this.ingest(step.rebuild, step.cut);
        break;
    }
  }

  async ingest(rebuild = false, cut: Cut = null): Promise<void> {
    const call = { ...(await this.#call()), rebuild };
    const before = await this.#live();
    const known =
      before.generation?.manifest.model.hash === this.#model.hash ? textsOf(before.points) : new Set();
    const plan = await this.#system.plan(call);
    const controller = new AbortController();
    const store = cut === null ? this.#store : cutShort(this.#store, cut, controller);
    try {
      const { progress } = await this.#system.ingest({ ...call, store, signal: controller.signal });
      await this.#assertEqualsScratch(call);
      this.#assertFrugal(progress.spec.runId, known);
      assertAsPlanned(plan, progress);
      const { chunksTotal, chunksSkipped, chunksPayloadUpdated, chunksReused } = progress.producer;
      expect(chunksSkipped + chunksPayloadUpdated + chunksReused + progress.workers.chunksEmbedded).toBe(
        chunksTotal,
      );
    } catch (error) {
      if (cut === null || !(isCut(error) || controller.signal.aborted)) throw error;
      await this.#assertUntouchedOrPublished(before, call);
    }
    await this.#assertOtherUntouched(before.points);
  }

  async #call(): Promise<IngestCall> {
    const cwd = join(this.#directory, 'own');
    const sources = await writeDrafts(cwd, this.#drafts);
    return {
      collection: this.#collection,
      pipeline: 'own',
      sources,
      cwd,
      model: this.#model,
      maxTokens: this.#maxTokens,
    };
  }

  async #live(): Promise<Live> {
    const generations = await this.#store.generations(this.#collection);
    return {
      generation: generations.find(({ live }) => live),
      points: await this.#system.livePoints(this.#collection),
    };
  }

  async #rollback(): Promise<void> {
    const generations = await this.#store.generations(this.#collection);
    const live = generations.find((generation) => generation.live);
    const previous = generations.findLast(({ number }) => number < (live?.number ?? 0));
    if (previous === undefined) return;
    await this.#store.publish(previous);
    // The model that is wanted is one that its collection may have, when others live in it.
    this.#model = MODELS.find(({ hash }) => hash === previous.manifest.model.hash) ?? this.#model;
  }

  async #assertEqualsScratch(call: IngestCall): Promise<void> {
    const { points } = await this.#live();
    expect(comparable(points, 'own', this.#model)).toEqual(await fromScratch(call));
  }

  /** No text is embedded that had a vector of this model already, and none twice. */
  #assertFrugal(runId: string, known: ReadonlySet<unknown>): void {
    const texts = this.#system.embedded(runId);
    expect(texts.filter((text) => known.has(text))).toEqual([]);
    expect(new Set(texts).size).toBe(texts.length);
  }

  /** A build that was cut short leaves what readers see as it was; if it was cut after publishing, they see the whole. */
  async #assertUntouchedOrPublished(before: Live, call: IngestCall): Promise<void> {
    const after = await this.#live();
    if (after.generation?.name !== before.generation?.name) await this.#assertEqualsScratch(call);
    else if (builds(before, call)) expect(after.points).toEqual(before.points);
  }

  async #assertOtherUntouched(before: ReadonlyMap<string, StoredPoint>): Promise<void> {
    if (!this.#shared) return;
    const { points } = await this.#live();
    expect(comparable(points, 'other', this.#model)).toEqual(comparable(before, 'other', this.#model));
    expect([...points.values()].some(({ chunk }) => chunk.pipeline === 'other')).toBe(true);
  }
}

/** A plan says what the ingest after it does, to the chunk. */
function assertAsPlanned(plan: Plan, { producer, workers }: RunProgress): void {
  const { documents, chunks } = plan;
  expect({ documents, chunks }).toMatchObject({
    documents: {
      read: producer.documentsRead,
      new: producer.documentsNew,
      changed: producer.documentsChanged,
      unchanged: producer.documentsUnchanged,
      removed: producer.documentsRemoved,
    },
    chunks: {
      total: producer.chunksTotal,
      embedded: workers.chunksEmbedded,
      reused: producer.chunksReused,
      skipped: producer.chunksSkipped,
      payloadUpdated: producer.chunksPayloadUpdated,
      removed: producer.chunksRemoved,
    },
  });
}

/** Whether an ingest has to make a new generation instead of changing the one that readers see. */
function builds({ generation }: Live, { model, maxTokens, rebuild = false }: IngestCall): boolean {
  if (generation === undefined || rebuild || generation.manifest.model.hash !== model.hash) return true;
  const fingerprint = generation.manifest.pipelines['own'];
  return fingerprint !== undefined && fingerprint !== pipelineFingerprint({ maxTokens, overlapTokens: 0 });
}

function cutShort(store: VectorStore, cut: NonNullable<Cut>, controller: AbortController): VectorStore {
  let calls = 0;
  return interferedStore(store, () => {
    calls += 1;
    if (calls !== cut.call) return undefined;
    if (cut.how === 'abort') controller.abort(new Error('cut short'));
    else
      return () => {
        throw new EmbedlineError('STORE_UNREACHABLE', 'cut short');
      };
    return undefined;
  });
}

function isCut(error: unknown): boolean {
  return error instanceof Error && error.message.includes('cut short');
}

function textsOf(points: ReadonlyMap<string, StoredPoint>): Set<unknown> {
  return new Set([...points.values()].map(({ chunk }) => chunk.text));
}
