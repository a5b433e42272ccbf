import type { TokenCounter } from '../embedder/embedder.ts';
import type { Atom } from './atoms.ts';
import { measure, type Measured } from './measured.ts';
import { splitLong, tear } from './split-long.ts';
import { trim } from './white-space.ts';

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

/** The halves of a piece without white space at their ends; empty for a single character, which cannot be cut further. */
export function halve<Piece extends Atom>(
  piece: Piece,
  { text }: Pick<FitOptions, 'text'>,
): (Piece & { readonly torn: boolean })[] {
  const length = piece.end - piece.start;
  if (length <= 2) return [];
  return tear(text, piece.start, piece.end, Math.max(1, length >> 1))
    .map((half) => ({ ...piece, ...half, ...trim(text, half.start, half.end) }))
    .filter(({ start, end }) => start < end);
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
