import type { TokenCounter } from '../embedder/embedder.ts';
import type { Atom } from './atoms.ts';
import type { EmbeddedView } from './embedded-view.ts';
import type { Line } from './lines.ts';
import { measure, type Measured } from './measured.ts';

/** A repeated header row takes half of a chunk at most, as an embedded title does. */
const HEADER_SHARE = 0.5;

/** A header row as it is repeated. */
export interface RepeatedHeader extends Measured {
  readonly text: string;
}

interface TableHeaderOptions {
  readonly view: EmbeddedView;
  readonly counter: TokenCounter;
  /** Weight and characters of a chunk at most. */
  readonly maxTokens: number;
  readonly maxCharacters: number;
}

/**
 * Finds what is repeated above a chunk that begins with an atom: the header row of the table that it is a row of; null for
 * any other atom, and for a header row that would take more than half of a chunk.
 */
export function tableHeaders(options: TableHeaderOptions): (first: Atom) => RepeatedHeader | null {
  const { view, counter, maxTokens, maxCharacters } = options;
  const known = new Map<Line, RepeatedHeader | null>();
  const find = (header: Line): RepeatedHeader | null => {
    const text = view.slice(header.start, header.end);
    const measured = measure(text, counter);
    const fits = measured.weight <= maxTokens * HEADER_SHARE && text.length <= maxCharacters * HEADER_SHARE;
    return fits && measured.tokens > 0 ? { text, ...measured } : null;
  };
  return ({ tableHeader }) => {
    if (tableHeader === undefined) return null;
    const found = known.get(tableHeader);
    if (found !== undefined) return found;
    const header = find(tableHeader);
    known.set(tableHeader, header);
    return header;
  };
}
