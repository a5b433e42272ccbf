import type { ObservedRuns, RunProgress, VectorStore } from '@embedline/core';

const MAX_NAMED = 5;

/**
 * Running runs that write to another store than this one: another project shares the Redis and its prefix, or a program
 * of the same project is set up differently.
 */
export async function findForeignRuns(runs: ObservedRuns, store: VectorStore): Promise<RunProgress[]> {
  const suspects = await foreignAmong(await running(runs), store);
  if (suspects.length === 0) return [];
  // The generation of a run that has ended meanwhile may have been dropped: only what still runs is foreign.
  const still = new Set((await running(runs)).map(({ spec }) => spec.runId));
  return suspects.filter(({ spec }) => still.has(spec.runId));
}

/** Without lost ones: their generation may be gone from their own store. */
async function running(runs: ObservedRuns): Promise<RunProgress[]> {
  return (await runs.unfinished()).filter(({ state }) => state === 'running');
}

async function foreignAmong(runs: readonly RunProgress[], store: VectorStore): Promise<RunProgress[]> {
  const collections = new Set(runs.filter(({ spec }) => spec.storeKind === store.kind).map(collectionOf));
  const identities = new Set<string>();
  for (const collection of collections)
    for (const { identity } of await store.generations(collection)) identities.add(identity);
  return runs.filter(
    ({ spec }) => spec.storeKind !== store.kind || !identities.has(spec.generation.identity),
  );
}

function collectionOf({ spec }: RunProgress): string {
  return spec.collection;
}

/** @param foreign one or more */
export function describeForeignRuns(foreign: readonly RunProgress[]): string {
  const named = foreign
    .slice(0, MAX_NAMED)
    .map(({ spec }) => `${spec.runId} of collection ${spec.collection}`);
  const others = foreign.length > MAX_NAMED ? ` and ${foreign.length - MAX_NAMED} more` : '';
  const runs =
    foreign.length === 1 ? '1 run in this Redis writes' : `${foreign.length} runs in this Redis write`;
  return `${runs} to another vector store: ${named.join(', ')}${others}.`;
}

export const FOREIGN_RUNS_REMEDY =
  'If they are of another project, give each project its own prefix (for example EMBEDLINE_PREFIX={project-name} for its ' +
  'producers and workers). If they are of the same project, give all its programs the same QDRANT_URL or EMBEDLINE_HOME.';
