import type { VectorStore } from '@embedline/core';
import { describeFilters } from './filters.contract.ts';
import { describeGenerations } from './generations.contract.ts';
import { storeOpener } from './open-generation.ts';
import { describePoints } from './points.contract.ts';

/** What every vector store promises, whatever is behind it. */
export function describeVectorStore(name: string, open: () => Promise<VectorStore>): void {
  const opener = storeOpener(open);
  describeGenerations(name, opener);
  describePoints(name, opener);
  describeFilters(name, opener);
}
