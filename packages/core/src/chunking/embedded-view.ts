import { dataUrlEdits } from './markup/data-urls.ts';
import { Edits } from './markup/edits.ts';

/** A text as it is embedded: without its markup, where it has any. */
export class EmbeddedView {
  readonly #text: string;
  readonly #edits: Edits;

  constructor(text: string, edits: Edits = new Edits([])) {
    this.#text = text;
    this.#edits = edits;
  }

  /** What is embedded of a stretch; empty for one of markup alone. */
  slice(start: number, end: number): string {
    return this.#edits.apply(this.#text, start, end) ?? this.#text.slice(start, end);
  }

  /** Characters of a stretch, but for those that are left out. */
  length(start: number, end: number): number {
    return end - start - this.#edits.leftOut(start, end);
  }

  isEdited(start: number, end: number): boolean {
    return this.#edits.touches(start, end);
  }

  /** What stands for a chunk of markup alone, the better first: its text without what `data:` URLs hold, and its text. */
  insteadOfNothing(start: number, end: number): string[] {
    const written = this.#text.slice(start, end);
    const withoutPayloads = new Edits(dataUrlEdits(written, 0, written.length)).apply(
      written,
      0,
      written.length,
    );
    return withoutPayloads === null ? [written] : [withoutPayloads, written];
  }
}
