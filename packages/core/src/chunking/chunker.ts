import type { Chunk } from '../document.ts';
import type { TokenCounter } from '../embedder/embedder.ts';
import { findAtoms, type Atom } from './atoms.ts';
import type { TextFormat } from './blocks.ts';
import type { ChunkingOptions } from './chunking-options.ts';
import { chooseCuts } from './choose-cuts.ts';
import { sectionTitle } from './section-title.ts';
import { splitLong, tear, type Piece } from './split-long.ts';
import { trim } from './white-space.ts';

/** What is cut. */
export interface ChunkableText {
  readonly text: string;
  readonly title: string | null;
  /** Whether the structure is that of Markdown. Defaults to plain. */
  readonly format?: TextFormat;
  /** Where in `text` what is to be cut begins; front matter stands before. Defaults to 0. */
  readonly bodyStart?: number;
}

/** An atom that fits into a chunk, with its length in tokens. */
export interface CountedAtom extends Atom {
  readonly tokens: number;
  /** Begins or ends within a word: its tokens joined with its neighbours' may be fewer. */
  readonly torn: boolean;
}

/**
 * Makes the function that cuts documents into chunks: by the model's own tokens, on structure before length. Chunks
 * fall back into step after an edit, since each cut is chosen from the text around it (see choose-cuts.ts): an edited
 * paragraph changes its own chunks and, rarely, a few behind it.
 *
 * Every chunk is `text.slice(start, end)` without white space at its ends, and at most `maxTokens` long; every
 * character that is not white space is in a chunk.
 */
export function createChunker(
  options: ChunkingOptions,
  counter: TokenCounter,
): (document: ChunkableText) => Chunk[] {
  const budget = options.maxTokens - counter.specialTokens - options.overlapTokens;
  return ({ text, title, format = 'plain', bodyStart = 0 }) => {
    const whole = format === 'plain' ? wholeText(text, title, budget, counter) : null;
    if (whole !== null) return [whole];
    const atoms = findAtoms(text, format, bodyStart).flatMap((atom) => fit(text, atom, budget, counter));
    const cuts = chooseCuts(text, atoms, budget);
    const titles = titlesOf(title, atoms);
    return cuts.map((first, index) => {
      const last = (cuts[index + 1] ?? atoms.length) - 1;
      const from =
        index === 0 ? first : withOverlap(atoms, first, (cuts[index - 1] ?? 0) + 1, options.overlapTokens);
      return toChunk(text, titles(first, last), atoms, { from, last }, index, counter);
    });
  };
}

/** A token of prose has four to six characters: what is longer by far is not counted only to find that it does not fit. */
const MAX_CHARACTERS_PER_TOKEN = 8;

/**
 * A text that fits into one chunk, without a look at its structure, which would only put together again what it took
 * apart; null when it does not fit, or when the tokens of its parts may not add up to its own.
 */
function wholeText(text: string, title: string | null, budget: number, counter: TokenCounter): Chunk | null {
  if (!counter.additive || text.length > budget * MAX_CHARACTERS_PER_TOKEN) return null;
  const { start, end } = trim(text, 0, text.length);
  const content = text.slice(start, end);
  const tokens = counter.count(content);
  if (start === end || tokens > budget) return null;
  return { index: 0, text: content, start, end, title, tokens: tokens + counter.specialTokens };
}

/** The atom as it is when it fits, else its pieces that do. */
function fit(text: string, atom: Atom, budget: number, counter: TokenCounter): CountedAtom[] {
  const tokens = countWithin(text, atom.start, atom.end, budget, counter);
  if (tokens <= budget) return [{ ...atom, tokens, torn: false }];
  return splitLong(text, atom.start, atom.end)
    .flatMap((piece) => fitPiece(text, piece, budget, counter))
    .map((piece, index) => ({ ...atom, ...piece, cutBefore: index === 0 ? atom.cutBefore : 0 }));
}

function fitPiece(
  text: string,
  piece: Piece,
  budget: number,
  counter: TokenCounter,
): (Piece & { tokens: number })[] {
  const tokens = countWithin(text, piece.start, piece.end, budget, counter);
  const length = piece.end - piece.start;
  // A single character cannot be cut further; it is the model's affair to cut its tokens.
  if (tokens <= budget || length <= 2) return [{ ...piece, tokens: Math.min(tokens, budget) }];
  return tear(text, piece.start, piece.end, Math.max(1, length >> 1)).flatMap((half) => {
    const trimmed = { ...half, ...trim(text, half.start, half.end) };
    return trimmed.start === trimmed.end ? [] : fitPiece(text, trimmed, budget, counter);
  });
}

/** Texts that cannot fit are not counted to their end: no tokenizer makes less than one token of 200 characters of prose. */
function countWithin(
  text: string,
  start: number,
  end: number,
  budget: number,
  counter: TokenCounter,
): number {
  if (end - start > budget * 200) return Infinity;
  return counter.count(text.slice(start, end));
}

/** The first atom of the overlap: whole atoms before `first` that fit into it, but never all of the preceding chunk. */
function withOverlap(
  atoms: readonly CountedAtom[],
  first: number,
  earliest: number,
  overlapTokens: number,
): number {
  let from = first;
  for (let room = overlapTokens; from > earliest; from -= 1) {
    room -= atoms[from - 1]?.tokens ?? Infinity;
    if (room < 0) break;
  }
  return from;
}

/** Titles of runs of atoms. What stands above all headings has the first of them, where the document has no title. */
function titlesOf(
  title: string | null,
  atoms: readonly CountedAtom[],
): (first: number, last: number) => string | null {
  const firstHeading = atoms.find(({ headings }) => headings.length > 0)?.headings[0] ?? null;
  return (first, last) => {
    const sections = new Set(atoms.slice(first, last + 1).map(({ headings }) => headings));
    return sectionTitle(title, [...sections]) ?? firstHeading;
  };
}

function toChunk(
  text: string,
  title: string | null,
  atoms: readonly CountedAtom[],
  { from, last }: { from: number; last: number },
  index: number,
  counter: TokenCounter,
): Chunk {
  const own = atoms.slice(from, last + 1);
  const start = own[0]?.start ?? 0;
  const end = own.at(-1)?.end ?? 0;
  const content = text.slice(start, end);
  const exact = counter.additive && !own.some(({ torn }) => torn);
  const tokens = exact ? own.reduce((sum, atom) => sum + atom.tokens, 0) : counter.count(content);
  return {
    index,
    text: content,
    start,
    end,
    title,
    tokens: tokens + counter.specialTokens,
  };
}
