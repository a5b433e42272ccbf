import type { Chunk } from '../document.ts';
import type { TokenCounter } from '../embedder/embedder.ts';
import { findAtoms, type Atom } from './atoms.ts';
import type { TextFormat } from './blocks.ts';
import { chunkBudget, type ChunkBudget } from './chunk-budget.ts';
import type { ChunkingOptions } from './chunking-options.ts';
import { chooseCuts } from './choose-cuts.ts';
import { EmbeddedView } from './embedded-view.ts';
import { fitAtom, halve, type CountedAtom } from './fit-atom.ts';
import { lineEndOffsets, withPlainLineEnds } from './line-ends.ts';
import { measure, type Measured } from './measured.ts';
import { sectionTitle } from './section-title.ts';
import { tableHeaders, type RepeatedHeader } from './table-headers.ts';
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

type Unplaced = Omit<Chunk, 'index'>;

interface Cutting {
  readonly text: string;
  /** Title of a run of atoms, as it is not yet shortened. */
  readonly titleOf: (atoms: readonly Atom[]) => string | null;
  readonly view: EmbeddedView;
  /** What is repeated above a chunk that begins with an atom. */
  readonly headerOf: (first: Atom) => RepeatedHeader | null;
  readonly counter: TokenCounter;
  readonly budget: ChunkBudget;
  readonly maxTokens: number;
}

/**
 * Makes the function that cuts documents into chunks: by the model's own tokens, on structure before length. Chunks
 * fall back into step after an edit, since each cut is chosen from the text around it (see choose-cuts.ts): an edited
 * paragraph changes its own chunks and, rarely, a few behind it.
 *
 * Every chunk is `text.slice(start, end)` without white space at its ends, and at most `maxTokens` long with all that
 * is embedded with it: special tokens, the model's prefix, and the title where that is asked for. Every character that
 * is not white space is in a chunk, but for text that has no tokens at all (zero-width characters alone).
 * @throws EmbedlineError USAGE when the options leave no room for text
 */
export function createChunker(
  options: ChunkingOptions,
  counter: TokenCounter,
): (document: ChunkableText) => Chunk[] {
  const { maxTokens, overlapTokens } = options;
  const budget = chunkBudget(options, counter);
  const { maxCharacters } = budget;
  return withAnyLineEnds((document) => {
    const { text, title, format = 'plain', bodyStart = 0 } = document;
    const whole = format === 'plain' ? wholeText(document, { counter, budget, maxTokens }) : null;
    if (whole !== null) return [{ index: 0, ...whole }];
    const { atoms: found, edits } = findAtoms(text, format, bodyStart);
    const view = new EmbeddedView(text, edits);
    const titleOf = titlesOf(title, found);
    const textTokens = budget.textTokens(eachSection(found).map((atom) => titleOf([atom])));
    const limits = { maxTokens: textTokens, maxCharacters };
    const headerOf =
      options.repeatTableHeader === true ? tableHeaders({ view, counter, ...limits }) : () => null;
    const repeatedWeight = (first: Atom) => headerOf(first)?.weight ?? 0;
    const cutting = { text, titleOf, view, headerOf, counter, budget, maxTokens };
    const atoms = found.flatMap((atom) => {
      const room = textTokens - repeatedWeight(atom);
      return fitAtom(atom, { text, view, counter, maxTokens: room, maxCharacters });
    });
    const cuts = chooseCuts(text, atoms, { ...limits, view, repeatedWeight });
    return cuts
      .flatMap((first, index) => {
        const earliest = (cuts[index - 1] ?? 0) + 1;
        const from = index === 0 ? first : withOverlap(atoms, first, earliest, overlapTokens);
        return toChunks(atoms.slice(first, cuts[index + 1]), atoms.slice(from, first), cutting);
      })
      .map((chunk, index) => ({ index, ...chunk }));
  });
}

/**
 * Cuts a text as if its line ends were plain, so that a corpus that goes from one system to another keeps its chunks, and
 * gives the chunks as the text has them.
 */
function withAnyLineEnds(cut: (document: ChunkableText) => Chunk[]): (document: ChunkableText) => Chunk[] {
  return (document) => {
    const { text, bodyStart = 0 } = document;
    if (!text.includes('\r')) return cut(document);
    const offsets = lineEndOffsets(text);
    const plain = { text: withPlainLineEnds(text), bodyStart: offsets.toPlain(bodyStart) };
    return cut({ ...document, ...plain }).map((chunk) => {
      const [start, end] = [offsets.toOriginal(chunk.start), offsets.toOriginal(chunk.end)];
      return { ...chunk, text: text.slice(start, end), start, end };
    });
  };
}

/** A token of prose has four to six characters: what is longer by far is not counted only to find that it does not fit. */
const PROSE_CHARACTERS_PER_TOKEN = 8;

/**
 * A text that fits into one chunk, without a look at its structure, which would only put together again what it took
 * apart; null when it does not fit, or when the tokens of its parts may not add up to its own.
 */
function wholeText(
  { text, title, bodyStart = 0 }: ChunkableText,
  { counter, budget, maxTokens }: Pick<Cutting, 'counter' | 'budget' | 'maxTokens'>,
): Unplaced | null {
  const section = sectionTitle(title, [[]]);
  const textTokens = budget.textTokens([section]);
  if (!counter.additive || text.length > textTokens * PROSE_CHARACTERS_PER_TOKEN) return null;
  const { start, end } = trim(text, bodyStart, text.length);
  const content = text.slice(start, end);
  const { tokens, unknown } = measure(content, counter);
  // Unknown text weighs more in parts than as a whole.
  if (tokens === 0 || unknown > 0 || tokens > textTokens) return null;
  const stored = budget.titleOf(section);
  const inputTokens = budget.inputTokens(content, stored, tokens);
  if (inputTokens > maxTokens) return null;
  return {
    text: content,
    start,
    end,
    title: stored,
    tokens: inputTokens,
    textTokens: tokens,
    unknownTokens: unknown,
  };
}

/** The first atom of the overlap: whole atoms before `first` that fit into it, but never all of the preceding chunk. */
function withOverlap(
  atoms: readonly CountedAtom[],
  first: number,
  earliest: number,
  overlapTokens: number,
): number {
  let [from, room] = [first, overlapTokens];
  for (let position = first - 1; position >= earliest; position -= 1) {
    const weight = atoms[position]?.weight ?? Infinity;
    if (weight > room) break;
    room -= weight;
    // What has no tokens is only repeated between others.
    if (weight > 0) from = position;
  }
  return from;
}

/** These are white space for us and nothing at all for some tokenizers, which join what is beside them. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const JOINING_SPACES = /[\v\f\u0085\u2028\u2029\ufeff]/;

/**
 * The chunk of some atoms; several where they turn out not to fit, since the tokens of torn words, or of tokenizers that
 * look beyond words, may be more together than apart; none when they have no tokens.
 */
function toChunks(
  own: readonly CountedAtom[],
  overlap: readonly CountedAtom[],
  cutting: Cutting,
): Unplaced[] {
  const { text, budget, maxTokens } = cutting;
  const all = [...overlap, ...own];
  const [start, end] = [all[0]?.start ?? 0, all.at(-1)?.end ?? 0];
  const { embedded, tokens, unknown, addsUp } = embeddedOf(all, cutting);
  if (tokens === 0) return [];
  const title = budget.titleOf(cutting.titleOf(own));
  const inputTokens = budget.inputTokens(embedded, title, addsUp ? tokens : null);
  const parts = inputTokens <= maxTokens ? [] : divide(own, cutting);
  if (inputTokens > maxTokens && overlap.length > 0) return toChunks(own, shortened(overlap), cutting);
  if (parts.length > 0) return parts.flatMap((part) => toChunks(part, [], cutting));
  const content = text.slice(start, end);
  const chunk = { text: content, start, end, title, tokens: inputTokens };
  const counts = { textTokens: tokens, unknownTokens: unknown };
  return [{ ...chunk, ...counts, ...(embedded === content ? {} : { embeddedText: embedded }) }];
}

/** What is embedded of some atoms, with its length; that of their parts together where these add up. */
function embeddedOf(all: readonly CountedAtom[], { view, headerOf, counter }: Cutting) {
  const [start, end] = [all[0]?.start ?? 0, all.at(-1)?.end ?? 0];
  const header = all[0] === undefined ? null : headerOf(all[0]);
  const above = header === null ? '' : `${header.text}\n`;
  const body = view.slice(start, end);
  const addsUp =
    counter.additive &&
    !view.isEdited(start, end) &&
    !all.some(({ torn }) => torn) &&
    !JOINING_SPACES.test(above + body);
  if (addsUp) return { embedded: above + body, addsUp, ...sumOf(header === null ? all : [header, ...all]) };
  // Markup alone is better than nothing.
  const bodies = view.isEdited(start, end) ? [body, ...view.insteadOfNothing(start, end)] : [body];
  const chosen = bodies.find((one) => counter.count(one) > 0) ?? body;
  const embedded = counter.count(chosen) > 0 ? above + chosen : chosen;
  return { embedded, addsUp, ...measure(embedded, counter) };
}

/** An overlap without its first atom, and those behind it that have no tokens. */
function shortened(overlap: readonly CountedAtom[]): CountedAtom[] {
  const next = overlap.findIndex(({ weight }, index) => index > 0 && weight > 0);
  return next === -1 ? [] : overlap.slice(next);
}

function sumOf(atoms: readonly Measured[]): { tokens: number; unknown: number } {
  let [tokens, unknown] = [0, 0];
  for (const atom of atoms) {
    tokens += atom.tokens;
    unknown += atom.unknown;
  }
  return { tokens, unknown };
}

/** Two parts of some atoms, or of the only one; empty when that cannot be cut. */
function divide(own: readonly CountedAtom[], { text, view, counter }: Cutting): CountedAtom[][] {
  const [only] = own;
  const middle = own.length >> 1;
  if (own.length > 1) return [own.slice(0, middle), own.slice(middle)];
  if (only === undefined) return [];
  return halve(only, { text }).map((half) => [
    { ...half, ...measure(view.slice(half.start, half.end), counter) },
  ]);
}

/** Titles of runs of atoms. What stands above all headings has the first of them, where the document has no title. */
function titlesOf(title: string | null, atoms: readonly Atom[]): (run: readonly Atom[]) => string | null {
  const firstHeading = atoms.find(({ headings }) => headings.length > 0)?.headings[0] ?? null;
  return (run) => sectionTitle(title, [...new Set(run.map(({ headings }) => headings))]) ?? firstHeading;
}

/** The first atom of each section: its atoms have one array of headings. */
function eachSection(atoms: readonly Atom[]): Atom[] {
  return atoms.filter(({ headings }, index) => headings !== atoms[index - 1]?.headings);
}
