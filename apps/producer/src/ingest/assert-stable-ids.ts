import { dirname, relative, resolve, sep } from 'node:path';
import { EmbedlineError, pointId, type GenerationPoints, type VectorStore } from '@embedline/core';
import type { PipelineDefinition } from '../pipeline/definition.ts';
import type { Corpus } from '../readers/corpus.ts';
import { LOOKUP_SIZE } from './vectors-by-text-hash.ts';

/** Text files of each source that are looked up. */
const SAMPLE_SIZE = 20;

export interface StableIdsOptions {
  readonly corpus: Corpus;
  readonly definition: PipelineDefinition;
  readonly store: VectorStore;
  readonly signal: AbortSignal;
}

interface LookupOptions extends StableIdsOptions {
  /** What readers see now. */
  readonly points: GenerationPoints;
}

/**
 * Refuses to rename documents unasked. The ids of text files are counted from a source's own folder, from what several
 * sources have in common, or from `root`; when a source is added or taken away and no root is named, that folder may be
 * another one than before. Some files are looked up under the ids that they would have from every folder above them:
 * when none is there under its present id, and most are under those from another folder, that was the one before.
 * @throws EmbedlineError IDS_RENAMED that says how to keep the ids, and how to change them
 */
export async function assertStableIds(options: StableIdsOptions): Promise<void> {
  const { corpus, definition, store, signal } = options;
  if (definition.root !== undefined || definition.partial) return;
  const live = (await store.generations(definition.collection, { signal })).find((one) => one.live);
  if (live === undefined) return;
  const files = await corpus.textFiles(SAMPLE_SIZE);
  const points = await store.open(live, { signal });
  try {
    if (files.length > 0) await compareIds(files, { ...options, points });
  } finally {
    await points.close();
  }
}

/** @throws EmbedlineError IDS_RENAMED */
async function compareIds(
  files: readonly { readonly path: string; readonly id: string }[],
  options: LookupOptions,
): Promise<void> {
  const present = await areStored(
    files.map(({ id }) => id),
    options,
  );
  if (present.some(Boolean)) return;
  for (const folder of foldersAbove(files.map(({ path }) => path))) {
    const below = files.filter(({ path }) => path.startsWith(folder + sep) || folder === sep);
    const former = below.map(({ path }) => relative(folder, path).split(sep).join('/'));
    const stored = (await areStored(former, options)).filter(Boolean).length;
    const [first] = below;
    if (first === undefined || stored * 2 <= below.length) continue;
    throw renamed(folder, { path: first.path, id: first.id }, options);
  }
}

/** Nearest first. */
function foldersAbove(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths)
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      folders.add(folder);
      if (folder === dirname(folder)) break;
    }
  return [...folders].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
}

async function areStored(
  ids: readonly string[],
  { points, definition, signal }: LookupOptions,
): Promise<boolean[]> {
  const firsts = ids.map((id) => pointId(definition.name, id, 0));
  const found = new Set<string>();
  for (let start = 0; start < firsts.length; start += LOOKUP_SIZE) {
    const page = await points.fingerprints(firsts.slice(start, start + LOOKUP_SIZE), { signal });
    for (const id of page.keys()) found.add(id);
  }
  return firsts.map((id) => found.has(id));
}

function renamed(
  folder: string,
  { path, id }: { readonly path: string; readonly id: string },
  { corpus, definition: { name, directory } }: StableIdsOptions,
): EmbedlineError {
  const show = (one: string) => relative(directory, one) || '.';
  const former = relative(folder, path).split(sep).join('/');
  const now = resolve(path, ...Array.from({ length: id.split('/').length }, () => '..'));
  return new EmbedlineError(
    'IDS_RENAMED',
    `The ids of text files would change: ${show(path)} is ${JSON.stringify(former)} in the collection and would become ${JSON.stringify(id)}, ` +
      `because ids are now counted from ${corpus.report.idsFrom ?? show(now)} and were counted from ${show(folder)} before. ` +
      `To keep them, name that folder with --root ${show(folder)} if all sources lie in it, or read the other sources as a pipeline of ` +
      `their own (--pipeline NAME instead of ${name}). To change them, say so: --root ${show(now)} --max-delete 100%.`,
  );
}
