import { findBlocks, type Block, type TextFormat } from './blocks.ts';
import { isBlank, linesOf, type Line } from './lines.ts';
import { Edits, type Edit } from './markup/edits.ts';
import { sentenceEnds } from './sentences.ts';
import { trim } from './white-space.ts';

/** How good a place it is to cut, before an atom; higher is better. */
export const CUT = Object.freeze({
  /** Between a heading and what it is the heading of, or a table's header and its first row. */
  never: -1,
  /** Within a sentence: words, or lines of hard-wrapped prose. */
  word: 0,
  sentence: 1,
  line: 2,
  paragraph: 3,
  heading: 4,
});

/** A piece of text that is not cut unless it has to be: a sentence, a heading, a row of a table, a line of code. */
export interface Atom {
  readonly start: number;
  /** Exclusive; neither end is white space. */
  readonly end: number;
  readonly cutBefore: number;
  /** Headings above, outermost first; one array for all atoms of a section. */
  readonly headings: readonly string[];
  /** The header row of the table that it is a row of; one object for all its rows, absent from the header itself. */
  readonly tableHeader?: Line;
}

/** A text taken apart. */
export interface FoundAtoms {
  readonly atoms: readonly Atom[];
  /** What is embedded otherwise than it is written. */
  readonly edits: Edits;
}

type Piece = Pick<Atom, 'start' | 'end' | 'cutBefore' | 'tableHeader'>;

/**
 * Finds a text's atoms: its blocks, and within these rows, lines and sentences. What an atom is depends on its own block
 * alone, so that an edit elsewhere does not move it.
 * @param from where the text begins
 */
export function findAtoms(text: string, format: TextFormat, from: number): FoundAtoms {
  const atoms: Atom[] = [];
  const edits: Edit[] = [];
  let section: { readonly level: number; readonly title: string }[] = [];
  let headings: readonly string[] = [];
  let afterHeading = false;
  for (const block of findBlocks(text, format, from)) {
    const { heading } = block;
    if (heading !== null) {
      section = [...section.filter(({ level }) => level < heading.level), heading];
      headings = section.map(({ title }) => title).filter((title) => title !== '');
    }
    // Not spread into arguments: a block may have any number.
    for (const edit of block.edits) edits.push(edit);
    for (const piece of piecesOf(text, block)) {
      const trimmed = trim(text, piece.start, piece.end);
      if (trimmed.start === trimmed.end) continue;
      const cutBefore = afterHeading && heading === null ? CUT.never : piece.cutBefore;
      atoms.push({ ...piece, ...trimmed, cutBefore, headings });
      afterHeading = false;
    }
    afterHeading = heading !== null;
  }
  return { atoms, edits: new Edits(edits) };
}

function piecesOf(text: string, block: Block): Piece[] {
  const { start, end, afterBlankLine } = block;
  const cutBefore = afterBlankLine ? CUT.paragraph : CUT.line;
  switch (block.kind) {
    case 'heading':
      return [{ start, end, cutBefore: block.heading === null ? cutBefore : CUT.heading }];
    case 'prose':
      return prosePieces(text, block, cutBefore);
    case 'lines':
      return linePieces(text, block, cutBefore);
    case 'table':
      return rowPieces(text, block, cutBefore);
  }
}

/** Lines of code or HTML; a blank line parts paragraphs of it. */
function linePieces(text: string, { start, end }: Block, cutBefore: number): Piece[] {
  const pieces: Piece[] = [];
  let cut = cutBefore;
  for (const line of linesOf(text, start, end)) {
    if (isBlank(text, line)) {
      cut = Math.max(cut, CUT.paragraph);
      continue;
    }
    pieces.push({ ...line, cutBefore: cut });
    cut = CUT.line;
  }
  return pieces;
}

/** The header row stays with the first row: alone it says nothing. */
function rowPieces(text: string, { start, end }: Block, cutBefore: number): Piece[] {
  const rows = [...linesOf(text, start, end)];
  const [tableHeader] = rows;
  return rows.map((row, index) => ({
    ...row,
    cutBefore: index === 0 ? cutBefore : index <= 2 ? CUT.never : CUT.line,
    ...(tableHeader === undefined || index === 0 ? {} : { tableHeader }),
  }));
}

function prosePieces(text: string, { start, end, edits }: Block, cutBefore: number): Piece[] {
  const cuts = new Map<number, number>();
  const markup = new Edits(edits);
  for (const sentenceEnd of sentenceEnds(text, start, end)) {
    // The alternative text of an image has its sentences, its address has none.
    if (!markup.splits(sentenceEnd)) cuts.set(sentenceEnd, CUT.sentence);
  }
  let previousEnd: number | null = null;
  for (const line of linesOf(text, start, end)) {
    if (previousEnd !== null && !markup.splits(line.start)) {
      const strong = cuts.has(previousEnd) || standsForItself(text.slice(line.start, line.start + 20));
      cuts.delete(previousEnd);
      cuts.set(line.start, strong ? CUT.line : CUT.word);
    }
    previousEnd = line.end;
  }
  const pieces: Piece[] = [];
  let piece = { start, cutBefore };
  for (const [position, cut] of [...cuts].sort(([a], [b]) => a - b)) {
    pieces.push({ ...piece, end: position });
    piece = { start: position, cutBefore: cut };
  }
  pieces.push({ ...piece, end });
  return pieces;
}

/** True for the start of a list item, a table row or a quotation, as plain text has them, too. */
function standsForItself(line: string): boolean {
  return /^\s{0,12}(?:[-*+•|>]|\d{1,4}[.)])\s?/.test(line);
}
