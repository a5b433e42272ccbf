import { CUT, type Atom } from './atoms.ts';
import type { EmbeddedView } from './embedded-view.ts';
import { hashText } from './hash-text.ts';

/** A chunk is filled at least so far before a cut is looked for, where the structure allows it. */
const MIN_FILL = 0.55;

type WeighedAtom = Atom & { readonly weight: number };

export interface CutLimits {
  /** Weight of a chunk's own text at most. */
  readonly maxTokens: number;
  /** Characters of it at most, with the blanks between its atoms. */
  readonly maxCharacters: number;
  /** What is embedded of a stretch counts, not what is written. */
  readonly view: EmbeddedView;
  /** Weight of what is repeated above a chunk that begins with this atom. */
  readonly repeatedWeight: (first: Atom) => number;
}

/**
 * Chooses where chunks begin. Among the places that fill a chunk between 55 and 100 %, the strongest structure wins
 * (heading, paragraph, line, sentence, word), and among equals the one with the lowest hash of the text around it.
 * That is content-defined chunking as in LBFS (Muthitacharoen et al., SOSP 2001) over sentences instead of bytes: two
 * versions of a text choose the same places again soon behind their difference, because what decides is the same there.
 * Sections that fill less than 55 % are joined with the next.
 *
 * @param atoms each fits into a chunk by itself
 * @returns positions of the first atoms of chunks; empty without atoms
 */
export function chooseCuts(text: string, atoms: readonly WeighedAtom[], limits: CutLimits): number[] {
  const cuts: number[] = [];
  for (let first = 0; first < atoms.length; first = nextCut(text, atoms, first, limits)) cuts.push(first);
  return cuts;
}

function nextCut(
  text: string,
  atoms: readonly WeighedAtom[],
  first: number,
  { maxTokens: available, maxCharacters, view, repeatedWeight }: CutLimits,
): number {
  let filled = 0;
  const start = atoms[first]?.start ?? 0;
  const maxTokens = available - (atoms[first] === undefined ? 0 : repeatedWeight(atoms[first]));
  let best = -1;
  let fallback = first + 1;
  for (let position = first; position < atoms.length; position += 1) {
    const atom = atoms[position];
    if (atom === undefined) break;
    if (position > first && atom.cutBefore !== CUT.never) {
      fallback = position;
      if (filled >= maxTokens * MIN_FILL && (best === -1 || isBetter(text, atoms, position, best)))
        best = position;
    }
    filled += atom.weight;
    if (filled > maxTokens || (position > first && view.length(start, atom.end) > maxCharacters))
      return best === -1 ? fallback : best;
  }
  return atoms.length;
}

function isBetter(text: string, atoms: readonly Atom[], position: number, best: number): boolean {
  const [challenger, holder] = [atoms[position], atoms[best]];
  if (challenger === undefined || holder === undefined) return false;
  if (challenger.cutBefore !== holder.cutBefore) return challenger.cutBefore > holder.cutBefore;
  return hashAround(text, atoms, position) < hashAround(text, atoms, best);
}

/** Of the atoms on both sides, so that equal sentences in other company are different places. */
function hashAround(text: string, atoms: readonly Atom[], position: number): number {
  const before = atoms[position - 1];
  const after = atoms[position];
  if (before === undefined || after === undefined) return 0;
  const left = hashText(text, Math.max(before.start, before.end - 64), before.end);
  const right = hashText(text, after.start, Math.min(after.end, after.start + 64));
  return (Math.imul(left, 31) + right) >>> 0;
}
