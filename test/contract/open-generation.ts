import { onTestFinished } from 'vitest';
import type { VectorStore } from '@embedline/core';
import { MANIFEST } from '../support/points.ts';

/** How the tests of one store get at it; what they open ends with them. */
export type StoreOpener = ReturnType<typeof storeOpener>;

export function storeOpener(open: () => Promise<VectorStore>) {
  const openStore = async () => {
    const store = await open();
    onTestFinished(() => store.close());
    return store;
  };
  const openPoints = async (collection = uniqueName()) => {
    const store = await openStore();
    const generation = await store.createGeneration(collection, MANIFEST);
    onTestFinished(() => store.dropGeneration(generation).catch(() => undefined));
    return { store, generation, points: await store.open(generation) };
  };
  return { openStore, openPoints };
}

let names = 0;
export function uniqueName(): string {
  names += 1;
  return `contract-${process.pid}-${Date.now().toString(36)}-${names}`;
}
