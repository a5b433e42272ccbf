import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take a minute or more: one that begins last keeps a core waiting for it alone. */
const LONGEST = ['chaos-qdrant', 'chaos-sqlite', 'neighbouring-versions', 'readme', 'faults', 'generations'];

/** Starts the longest files first; the others follow by size, as Vitest has them where it has no earlier results. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const usual = await super.sort(files);
    return usual.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const index = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return index === -1 ? LONGEST.length : index;
}
