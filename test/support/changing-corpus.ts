import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { jsonl } from './cli.ts';

/** A document as the test thinks of it. */
export interface Draft {
  readonly paragraphs: readonly string[];
  readonly year: number;
  /** Which of the two files it is in. */
  readonly file: 0 | 1;
}

export type Drafts = ReadonlyMap<string, Draft>;

/** A change that a corpus may go through between two ingests. Whatever does not apply changes nothing. */
export type Edit =
  | { readonly kind: 'put'; readonly id: string; readonly paragraphs: readonly number[] }
  | {
      readonly kind: 'insert' | 'replace' | 'shorten';
      readonly id: string;
      readonly at: number;
      readonly paragraph: number;
    }
  | { readonly kind: 'remove' | 'move' | 'date'; readonly id: string }
  | { readonly kind: 'rename' | 'copy' | 'swap'; readonly id: string; readonly other: string };

const IDS = ['a', 'b', 'c', 'd', 'e'] as const;
const idOf = fc.constantFrom(...IDS);
const paragraph = fc.nat({ max: 7 });

export const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    id: idOf,
    paragraphs: fc.array(paragraph, { minLength: 1, maxLength: 6 }),
  }),
  fc.record({
    kind: fc.constantFrom('insert' as const, 'replace' as const, 'shorten' as const),
    id: idOf,
    at: fc.nat({ max: 5 }),
    paragraph,
  }),
  fc.record({ kind: fc.constantFrom('remove' as const, 'move' as const, 'date' as const), id: idOf }),
  fc.record({
    kind: fc.constantFrom('rename' as const, 'copy' as const, 'swap' as const),
    id: idOf,
    other: idOf,
  }),
);

/** Eight paragraphs, a chunk each or nearly: few enough that texts recur within and between documents. */
const PARAGRAPHS = Array.from({ length: 8 }, (_, index) =>
  Array.from({ length: 9 + (index % 4) }, (__, word) => `word${index}x${word % 5}`).join(' '),
);
const textOf = (index: number) => `${PARAGRAPHS[index] ?? ''}.`;

export function applyEdit(drafts: Drafts, change: Edit): Drafts {
  const next = new Map(drafts);
  const old = drafts.get(change.id);
  if (change.kind === 'put') {
    next.set(change.id, { year: 1, file: 0, ...old, paragraphs: change.paragraphs.map(textOf) });
    return next;
  }
  if (old === undefined) return drafts;
  switch (change.kind) {
    case 'insert':
      next.set(change.id, {
        ...old,
        paragraphs: old.paragraphs.toSpliced(change.at, 0, textOf(change.paragraph)),
      });
      break;
    case 'replace':
      next.set(change.id, {
        ...old,
        paragraphs: old.paragraphs.toSpliced(change.at, 1, textOf(change.paragraph)),
      });
      break;
    case 'shorten':
      next.set(change.id, { ...old, paragraphs: old.paragraphs.slice(0, Math.max(1, change.at)) });
      break;
    case 'remove':
      next.delete(change.id);
      break;
    case 'move':
      next.set(change.id, { ...old, file: old.file === 0 ? 1 : 0 });
      break;
    case 'date':
      next.set(change.id, { ...old, year: old.year + 1 });
      break;
    case 'rename':
      next.delete(change.id);
      next.set(change.other, old);
      break;
    case 'copy':
      next.set(change.other, old);
      break;
    case 'swap':
      next.set(change.id, drafts.get(change.other) ?? old);
      next.set(change.other, old);
      break;
  }
  return next;
}

/** Writes the files of a corpus. @returns the sources to ingest */
export async function writeDrafts(directory: string, drafts: Drafts): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const names = ['0.jsonl', '1.jsonl'];
  for (const [index, name] of names.entries()) {
    const records = [...drafts]
      .filter(([, { file }]) => file === index)
      .map(([id, { paragraphs, year }]) => ({ id, year, text: paragraphs.join('\n\n') }));
    await writeFile(join(directory, name), jsonl(records));
  }
  return names;
}
