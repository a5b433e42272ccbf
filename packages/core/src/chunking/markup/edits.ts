/** A stretch of a text that is embedded otherwise than it is written. */
export interface Edit {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** What is embedded instead. */
  readonly insert: string;
  /** Whether the words on both sides stay apart: true of `<td>`, false of `<b>`. */
  readonly parts: boolean;
}

/** The edits of one text. They are in order and do not overlap. */
export class Edits {
  readonly #edits: readonly Edit[];
  /** Characters left out by all edits before the one of the same position. */
  readonly #leftOutBefore: number[] = [0];

  constructor(edits: readonly Edit[]) {
    this.#edits = edits;
    let sum = 0;
    for (const { start, end } of edits) this.#leftOutBefore.push((sum += end - start));
  }

  /**
   * What a stretch comes to, without white space at its ends; null when nothing in it is edited. Lines that only edits have
   * left blank go as well. Of an edit that the stretch cuts in two, the first part has what is inserted.
   */
  apply(text: string, start: number, end: number): string | null {
    if (!this.touches(start, end)) return null;
    let position = this.#firstBehind(start);
    const edited = new EditedText();
    let at = start;
    for (; position < this.#edits.length; position += 1) {
      const edit = this.#edits[position];
      if (edit === undefined || edit.start >= end) break;
      if (edit.start > at) edited.keep(text.slice(at, edit.start));
      edited.edit(edit.start < start ? { ...edit, insert: '' } : edit);
      at = Math.min(edit.end, end);
    }
    edited.keep(text.slice(at, end));
    return edited.toString();
  }

  touches(start: number, end: number): boolean {
    return (this.#edits[this.#firstBehind(start)]?.start ?? Infinity) < end;
  }

  /** How many characters of a stretch are left out. */
  leftOut(start: number, end: number): number {
    return this.#leftOutUpTo(end) - this.#leftOutUpTo(start);
  }

  /** Whether a place lies within an edit, not at its ends. */
  splits(place: number): boolean {
    return this.touches(place, place);
  }

  #leftOutUpTo(place: number): number {
    const position = this.#firstBehind(place);
    const start = this.#edits[position]?.start ?? place;
    return (this.#leftOutBefore[position] ?? 0) + Math.max(0, place - start);
  }

  /** Position of the first edit that ends behind a place. */
  #firstBehind(place: number): number {
    let [low, high] = [0, this.#edits.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#edits[middle]?.end ?? Infinity) <= place) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Puts together what is kept and what is inserted, in time in proportion to it. */
class EditedText {
  /** Lines that are complete. */
  readonly #lines: string[] = [];
  #line: string[] = [];
  #lineIsBlank = true;
  /** Whether something was left out in the last line. */
  #lineIsEdited = false;
  /** Whether the line before the last is blank, or the text has none. */
  #isBehindBlank = true;
  #endsWithSpace = true;
  #parts = false;

  edit({ insert, parts }: Edit): void {
    this.#parts ||= parts;
    this.#lineIsEdited = true;
    this.#append(insert);
  }

  keep(piece: string): void {
    if (this.#lineIsEdited && this.#lineIsBlank && /^[ \t]*\n/.test(piece)) {
      this.#line = [];
      // Of blank lines on both sides of it, those before it are enough.
      this.#append(piece.replace(this.#isBehindBlank ? /^(?:[ \t]*\n)+/ : /^[ \t]*\n/, ''));
      this.#lineIsEdited = false;
    } else this.#append(piece);
  }

  #append(piece: string): void {
    if (piece === '') return;
    if (this.#parts && !this.#endsWithSpace && !/^\s/.test(piece)) this.#line.push(' ');
    const added = this.#parts && this.#endsWithSpace ? piece.replace(/^[ \t]+/, '') : piece;
    this.#parts = false;
    if (added === '') return;
    this.#endsWithSpace = /\s/.test(added.slice(-1));
    const newline = added.lastIndexOf('\n');
    if (newline !== -1) this.#endLine(added.slice(0, newline + 1));
    const rest = added.slice(newline + 1);
    this.#line.push(rest);
    this.#lineIsBlank &&= rest.trim() === '';
  }

  /** @param end with one line end or several, the last of them at its end */
  #endLine(end: string): void {
    const before = end.slice(0, -1).lastIndexOf('\n');
    const isBlank = end.slice(before + 1).trim() === '';
    this.#isBehindBlank = isBlank && (before !== -1 || this.#lineIsBlank);
    for (const piece of this.#line) this.#lines.push(piece);
    this.#lines.push(end);
    this.#line = [];
    this.#lineIsBlank = true;
    this.#lineIsEdited = false;
  }

  toString(): string {
    return [...this.#lines, ...this.#line].join('').trim();
  }
}
