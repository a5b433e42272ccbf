import type { TokenCounter } from '../embedder/embedder.ts';
import type { Atom } from './atoms.ts';
import type { EmbeddedView } from './embedded-view.ts';
import { measure, type Measured } from './measured.ts';
import { splitLong, tear, type Piece } from './split-long.ts';
import { isSpace, trim } from './white-space.ts';

/** An atom that fits into a chunk, with its length. */
export interface CountedAtom extends Atom, Measured {
  /** Begins or ends within a word: its tokens joined with its neighbours' may be more or fewer. */
  readonly torn: boolean;
}

export interface FitOptions {
  readonly text: string;
  readonly view: EmbeddedView;
  readonly counter: TokenCounter;
  /** Most weight of an atom. */
  readonly maxTokens: number;
  readonly maxCharacters: number;
}

/** The atom as it is when it fits, else its pieces that do. */
export function fitAtom(atom: Atom, options: FitOptions): CountedAtom[] {
  const whole = measureWithin(atom, options);
  if (whole !== null) return [{ ...atom, ...whole, torn: false }];
  return withoutEmpty(splitLong(options.text, atom.start, atom.end), options)
    .flatMap((piece) => fitPiece({ ...atom, ...piece }, options))
    .map((piece, index) => (index === 0 ? piece : { ...piece, cutBefore: 0 }));
}

/** Pieces of which nothing is embedded, such as those of a long address, belong to the one before. */
function withoutEmpty(pieces: readonly Piece[], { view }: FitOptions): Piece[] {
  const joined: Piece[] = [];
  for (const piece of pieces) {
    const before = joined.at(-1);
    if (before === undefined || view.length(piece.start, piece.end) > 0) joined.push(piece);
    else joined[joined.length - 1] = { ...before, end: piece.end };
  }
  return joined;
}

/** Halves a piece until its parts fit; a part of white space alone is none. */
function fitPiece(piece: Atom & { readonly torn: boolean }, options: FitOptions): CountedAtom[] {
  const whole = measureWithin(piece, options);
  if (whole !== null) return [{ ...piece, ...whole }];
  const halves = halve(piece, options);
  return halves.length > 0
    ? halves.flatMap((half) => fitPiece(half, options))
    : [{ ...piece, ...measure(options.view.slice(piece.start, piece.end), options.counter) }];
}

/**
 * The halves of a piece without white space at their ends, cut between two words where it has several; empty for a single
 * character, which cannot be cut further.
 */
export function halve<Whole extends Atom & { readonly torn?: boolean }>(
  piece: Whole,
  { text }: Pick<FitOptions, 'text'>,
): (Whole & { readonly torn: boolean })[] {
  const { start, end } = piece;
  if (end - start <= 2) return [];
  const space = spaceNearMiddle(text, start, end);
  const halves =
    space === null
      ? tear(text, start, end, Math.max(1, (end - start) >> 1))
      : [
          { start, end: space, torn: piece.torn === true },
          { start: space, end, torn: piece.torn === true },
        ];
  return halves
    .map((half) => ({ ...piece, ...half, ...trim(text, half.start, half.end) }))
    .filter((half) => half.start < half.end);
}

/** The white space that is nearest to the middle of a text, which has none at its ends; null when it has none at all. */
function spaceNearMiddle(text: string, start: number, end: number): number | null {
  const middle = (start + end) >> 1;
  for (let distance = 0; distance <= (end - start + 1) >> 1; distance += 1) {
    for (const position of [middle - distance, middle + distance])
      if (position > start && position < end && isSpace(text.charCodeAt(position))) return position;
  }
  return null;
}

/** Null for a piece that does not fit; one with too many characters is not counted to find that. */
function measureWithin(
  { start, end }: Atom,
  { view, counter, maxTokens, maxCharacters }: FitOptions,
): Measured | null {
  if (view.length(start, end) > maxCharacters) return null;
  const measured = measure(view.slice(start, end), counter);
  return measured.weight <= maxTokens ? measured : null;
}
