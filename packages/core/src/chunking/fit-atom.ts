import type { TokenCounter } from '../embedder/embedder.ts';
import type { Atom } from './atoms.ts';
import { measure, type Measured } from './measured.ts';
import { splitLong, tear } from './split-long.ts';
import { isSpace, trim } from './white-space.ts';

/** An atom that fits into a chunk, with its length. */
export interface CountedAtom extends Atom, Measured {
  /** Begins or ends within a word: its tokens joined with its neighbours' may be more or fewer. */
  readonly torn: boolean;
}

export interface FitOptions {
  readonly text: string;
  readonly counter: TokenCounter;
  /** Most weight of an atom. */
  readonly maxTokens: number;
  readonly maxCharacters: number;
}

/** The atom as it is when it fits, else its pieces that do. */
export function fitAtom(atom: Atom, options: FitOptions): CountedAtom[] {
  const whole = measureWithin(atom, options);
  if (whole !== null) return [{ ...atom, ...whole, torn: false }];
  return splitLong(options.text, atom.start, atom.end)
    .flatMap((piece) => fitPiece({ ...atom, ...piece }, options))
    .map((piece, index) => (index === 0 ? piece : { ...piece, cutBefore: 0 }));
}

/** Halves a piece until its parts fit; a part of white space alone is none. */
function fitPiece(piece: Atom & { readonly torn: boolean }, options: FitOptions): CountedAtom[] {
  const whole = measureWithin(piece, options);
  if (whole !== null) return [{ ...piece, ...whole }];
  const halves = halve(piece, options);
  return halves.length > 0
    ? halves.flatMap((half) => fitPiece(half, options))
    : [{ ...piece, ...measure(options.text.slice(piece.start, piece.end), options.counter) }];
}

/**
 * The halves of a piece without white space at their ends, cut between two words where it has several; empty for a single
 * character, which cannot be cut further.
 */
export function halve<Piece extends Atom & { readonly torn?: boolean }>(
  piece: Piece,
  { text }: Pick<FitOptions, 'text'>,
): (Piece & { readonly torn: boolean })[] {
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
  { text, counter, maxTokens, maxCharacters }: FitOptions,
): Measured | null {
  if (end - start > maxCharacters) return null;
  const measured = measure(text.slice(start, end), counter);
  return measured.weight <= maxTokens ? measured : null;
}
