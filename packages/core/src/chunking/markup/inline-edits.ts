import type { SyntaxNode } from '@lezer/common';
import { dataUrlEdits } from './data-urls.ts';
import type { Edit } from './edits.ts';
import { htmlEdits } from './html-edits.ts';
import { inlineParser } from './inline-parser.ts';

/** Without one of these, a text has nothing that is embedded otherwise than it is written. */
const MARKUP = /<[a-z/!?]|!\[|&[a-z#]/i;
/** A cell of a table; an escaped bar is part of it. */
const CELL = /(?:\\.|[^\\|\n])+/g;
/** Longer than any paragraph that people write; longer ones are embedded as they are. */
const MAX_PARSED_CHARACTERS = 8_000;

const HTML: ReadonlySet<string> = new Set(['HTMLTag', 'Comment', 'ProcessingInstruction', 'Entity']);
/**
 * Leaves of the inline structure of Markdown what a person reads: HTML tags go, character references are decoded, and of
 * images the alternative text and the title are left. Code and what is escaped stay as they are.
 */
export function inlineEdits(text: string, start: number, end: number): Edit[] {
  const payloads = dataUrlEdits(text, start, end);
  const short = new ShortText(text.slice(start, end), start, payloads);
  if (!MARKUP.test(short.text) || short.text.length > MAX_PARSED_CHARACTERS) return payloads;
  const edits = [...editsWithin(inlineParser.parse(short.text).topNode, { short, text })];
  return withPayloads(edits, payloads);
}

/** Those of the cells of a table, each of which is a text of its own. */
export function tableEdits(text: string, start: number, end: number): Edit[] {
  const table = text.slice(start, end);
  if (!MARKUP.test(table)) return dataUrlEdits(text, start, end);
  return [...table.matchAll(CELL)].flatMap(({ index, 0: cell }) =>
    inlineEdits(text, start + index, start + index + cell.length),
  );
}

interface Parsed {
  readonly short: ShortText;
  readonly text: string;
}

/** Of the nodes within a node, from a place on and up to another. */
function* editsWithin(
  node: SyntaxNode,
  parsed: Parsed,
  { from, to }: Pick<SyntaxNode, 'from' | 'to'> = node,
): Generator<Edit> {
  const { short, text } = parsed;
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.from < from || child.to > to) continue;
    if (HTML.has(child.name))
      yield* htmlEdits(text, short.toOriginal(child.from), short.toOriginal(child.to));
    else if (child.name === 'Image') yield* imageEdits(child, parsed);
    else if (child.name !== 'InlineCode') yield* editsWithin(child, parsed);
  }
}

/** An image names its source, or a reference to it: `![alt]` alone may as well be text. */
function* imageEdits(image: SyntaxNode, parsed: Parsed): Generator<Edit> {
  const { short } = parsed;
  const [open, close] = image.getChildren('LinkMark');
  const title = image.getChild('LinkTitle');
  const hasSource = image.getChild('URL') !== null || image.getChild('LinkLabel') !== null;
  if (open === undefined || close === undefined || !hasSource) {
    yield* editsWithin(image, parsed);
    return;
  }
  const leaveOut = (from: number, to: number): Edit => {
    return { start: short.toOriginal(from), end: short.toOriginal(to), insert: '', parts: true };
  };
  yield leaveOut(image.from, open.to);
  yield* editsWithin(image, parsed, { from: open.to, to: close.from });
  if (title !== null) yield leaveOut(close.from, title.from + 1);
  yield leaveOut(title === null ? close.from : title.to - 1, image.to);
}

/** Those of both that do not lie within an edit of the first. */
function withPayloads(edits: readonly Edit[], payloads: readonly Edit[]): Edit[] {
  if (payloads.length === 0) return [...edits];
  const free = payloads.filter(
    ({ start, end }) => !edits.some((edit) => edit.start <= start && edit.end >= end),
  );
  return [...edits, ...free].sort((a, b) => a.start - b.start);
}

/** A stretch of a text without the payloads of its `data:` URLs, which would make any image too long to be parsed. */
class ShortText {
  readonly text: string;
  /** Where a payload was taken out, in the short text, and how much up to there. */
  readonly #removed: readonly { readonly at: number; readonly sum: number }[];
  readonly #start: number;

  constructor(stretch: string, start: number, payloads: readonly Edit[]) {
    let [text, at, sum] = ['', 0, 0];
    const removed: { at: number; sum: number }[] = [];
    for (const payload of payloads) {
      text += stretch.slice(at, payload.start - start);
      at = payload.end - start;
      sum += payload.end - payload.start;
      removed.push({ at: text.length, sum });
    }
    this.text = text + stretch.slice(at);
    this.#removed = removed;
    this.#start = start;
  }

  toOriginal(place: number): number {
    const last = this.#removed.findLast(({ at }) => at <= place);
    return this.#start + place + (last?.sum ?? 0);
  }
}
