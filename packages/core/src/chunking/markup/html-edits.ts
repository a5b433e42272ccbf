import { Tokenizer, type TokenizerCallbacks } from 'htmlparser2';
import type { Edit } from './edits.ts';

/** Tags within a line of text: what stands on both sides of one may be a single word. */
const PHRASING = new Set(
  (
    'a abbr b bdi bdo big cite code data del dfn em font i ins kbd mark q s samp small span strike strong sub sup time ' +
    'tt u var wbr'
  ).split(' '),
);
/** What these hold is no text. */
const RAW = new Set(['script', 'style']);

/**
 * Leaves of HTML what a person reads: text and `alt` texts, with character references decoded. Tags, comments, declarations
 * and the content of scripts and styles go. What is not closed, such as `<div` without its `>`, stays as it is written.
 * Takes time in proportion to the length, whatever is written.
 */
export function htmlEdits(text: string, start: number, end: number): Edit[] {
  const html = text.slice(start, end);
  const kept = new KeptText(html);
  const tokenizer = new Tokenizer({ decodeEntities: true, xmlMode: false }, kept);
  tokenizer.write(html);
  tokenizer.end();
  return kept.edits.map((edit) => ({ ...edit, start: edit.start + start, end: edit.end + start }));
}

type AltPiece = string | { readonly start: number; readonly end: number };

const REPLACEMENT = 0xfffd;

interface OpenTag {
  readonly parts: boolean;
  readonly isRaw: boolean;
  inAlt: boolean;
  readonly alt: AltPiece[];
}

/** Follows the tokenizer through a text: what lies between two stretches that are kept becomes an edit. */
class KeptText implements TokenizerCallbacks {
  readonly edits: Edit[] = [];
  readonly #html: string;
  /** End of the last stretch that is kept, or of the last edit. */
  #at = 0;
  /** Up to here it is decided what is left out. */
  #decided = 0;
  #insert = '';
  #parts = false;
  #tag: OpenTag | null = null;
  #inRaw = false;

  constructor(html: string) {
    this.#html = html;
  }

  ontext(start: number, end: number): void {
    if (!this.#inRaw) this.#keep(start, end);
  }

  ontextentity(codePoint: number, end: number): void {
    if (this.#inRaw) return;
    // A reference to no character (&#87654321;) is text, as CommonMark has it.
    if (codePoint === REPLACEMENT) this.#keep(this.#decided, end);
    else this.#replace(String.fromCodePoint(codePoint), end);
  }

  onopentagname(start: number, end: number): void {
    const name = this.#html.slice(start, end).toLowerCase();
    this.#tag = { parts: !PHRASING.has(name), isRaw: RAW.has(name), inAlt: false, alt: [] };
  }

  onattribname(start: number, end: number): void {
    if (this.#tag !== null) this.#tag.inAlt = this.#html.slice(start, end).toLowerCase() === 'alt';
  }

  onattribdata(start: number, end: number): void {
    if (this.#tag?.inAlt === true) this.#tag.alt.push({ start, end });
  }

  onattribentity(codePoint: number): void {
    if (this.#tag?.inAlt === true) this.#tag.alt.push(String.fromCodePoint(codePoint));
  }

  onattribend(): void {
    if (this.#tag !== null) this.#tag.inAlt = false;
  }

  onopentagend(end: number): void {
    this.#inRaw = this.#tag?.isRaw === true;
    this.#endTag(end);
  }

  onselfclosingtag(end: number): void {
    this.#endTag(end);
  }

  onclosetag(start: number, end: number): void {
    this.#inRaw = false;
    const close = this.#html.indexOf('>', end);
    if (close !== -1) this.#leaveOut(close + 1, !PHRASING.has(this.#html.slice(start, end).toLowerCase()));
  }

  oncomment(_: number, end: number): void {
    if (this.#isClosed(end)) this.#leaveOut(end + 1, true);
  }

  ondeclaration(_: number, end: number): void {
    if (this.#isClosed(end)) this.#leaveOut(end + 1, true);
  }

  onprocessinginstruction(_: number, end: number): void {
    if (this.#isClosed(end)) this.#leaveOut(end + 1, true);
  }

  oncdata(start: number, end: number, endOffset: number): void {
    if (!this.#isClosed(end)) return;
    this.#keep(start, end - endOffset);
    this.#leaveOut(end + 1, false);
  }

  onend(): void {
    this.#keep(this.#decided, this.#html.length);
  }

  /** What the end of the text closes is not closed. */
  #isClosed(end: number): boolean {
    return end < this.#html.length;
  }

  #endTag(end: number): void {
    const { parts = false, alt = [] } = this.#tag ?? {};
    this.#parts ||= parts;
    for (const piece of alt) {
      if (typeof piece === 'string') this.#replace(piece, end);
      else this.#keep(piece.start, piece.end);
    }
    this.#leaveOut(end + 1, parts);
    this.#tag = null;
  }

  #keep(start: number, end: number): void {
    this.#endEdit(start);
    this.#at = this.#decided = end;
  }

  #replace(insert: string, end: number): void {
    this.#insert += insert;
    this.#decided = end;
  }

  #leaveOut(end: number, parts: boolean): void {
    if (this.#insert !== '') this.#endEdit(this.#decided);
    this.#parts ||= parts;
    this.#decided = end;
  }

  #endEdit(end: number): void {
    const edit = { start: this.#at, end, insert: this.#insert, parts: this.#parts };
    if (end > this.#at) this.edits.push(edit);
    this.#at = end;
    this.#insert = '';
    this.#parts = false;
  }
}
