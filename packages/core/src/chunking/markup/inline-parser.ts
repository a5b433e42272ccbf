import { parser, type InlineContext, type InlineParser, type MarkdownParser } from '@lezer/markdown';

/**
 * How many characters of one text the parser may read ahead without finding an end. A paragraph full of long links needs
 * less than a tenth of this. In a hostile text, everything beyond it stays text.
 */
const READ_AHEAD_CHARACTERS = 100_000;

const UNTIL_SPACE_OR_END_OF_TAG = /[^\s>]*/y;
const SCHEME = /[a-z][-\w+.]+:/iy;
/** What ends each kind of tag, by what stands behind its `<`. */
const TAG_ENDS = [
  ['!--', '-->'],
  ['![CDATA[', ']]>'],
  ['?', '?>'],
  ['', '>'],
] as const;

/** What is known of one text while it is parsed. */
class ReadAhead {
  readonly #text: string;
  readonly #lastOf = new Map<string, number>();
  #left = READ_AHEAD_CHARACTERS;

  constructor(text: string) {
    this.#text = text;
  }

  /** Whether the end of the tag that begins at a place, behind its `<`, is anywhere behind it. */
  endsTag(at: number): boolean {
    const [, end] = TAG_ENDS.find(([begin]) => this.#text.startsWith(begin, at)) ?? TAG_ENDS[3];
    const last = this.#lastOf.get(end) ?? this.#text.lastIndexOf(end);
    this.#lastOf.set(end, last);
    return last >= at;
  }

  /** @param measure how far the parser would read @returns false when nothing is left */
  take(measure: () => number): boolean {
    if (this.#left > 0) this.#left -= measure();
    return this.#left > 0;
  }
}

const readAheads = new WeakMap<InlineContext, ReadAhead>();

function readAheadOf(context: InlineContext): ReadAhead {
  const known = readAheads.get(context) ?? new ReadAhead(context.text);
  readAheads.set(context, known);
  return known;
}

/** Goes before a parser of the same name: what that one would read ahead for in vain, or too often, is text. */
function bounded(name: 'HTMLTag' | 'LinkEnd', first: string, isText: IsText): InlineParser {
  const code = first.charCodeAt(0);
  return {
    name: `Bounded${name}`,
    before: name,
    parse: (context, next, at) =>
      next === code && isText(context.text, at - context.offset + 1, readAheadOf(context)) ? at + 1 : -1,
  };
}

type IsText = (text: string, behind: number, readAhead: ReadAhead) => boolean;

function isNoTag(text: string, behind: number, readAhead: ReadAhead): boolean {
  if (!readAhead.endsTag(behind)) return true;
  SCHEME.lastIndex = behind;
  if (!SCHEME.test(text)) return false;
  return !readAhead.take(() => endOf(UNTIL_SPACE_OR_END_OF_TAG, text, behind) - behind);
}

function isNoLinkEnd(text: string, behind: number, readAhead: ReadAhead): boolean {
  return text[behind] === '(' && !readAhead.take(() => destinationEnd(text, behind + 1) - behind);
}

const SPACE = /\s*/y;
/** A destination up to a parenthesis or its end. */
const DESTINATION_PART = /(?:\\.|[^\s()\\])*/sy;

/** How far the parser reads for the destination of a link and its title. */
function destinationEnd(text: string, start: number): number {
  let at = start;
  for (let depth = 0; ;) {
    at = endOf(DESTINATION_PART, text, at);
    if (text[at] === '(') depth += 1;
    else if (text[at] === ')' && depth > 0) depth -= 1;
    else break;
    at += 1;
  }
  at = endOf(SPACE, text, at);
  const quote = { '"': '"', "'": "'", '(': ')' }[text[at] ?? ''];
  if (quote === undefined) return at;
  const end = text.indexOf(quote, at + 1);
  return end === -1 ? text.length : end;
}

function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return at + (pattern.exec(text)?.[0].length ?? 0);
}

/**
 * The inline structure of a text that is known to be of one paragraph, whatever its lines begin with: HTML, references to
 * characters, code, links and images. Emphasis and hard line breaks are not told apart from text: they change nothing of
 * what is embedded, and the parser takes time in proportion to the square of what looks like them.
 */
export const inlineParser: MarkdownParser = parser.configure({
  remove: [
    'LinkReference',
    'IndentedCode',
    'FencedCode',
    'Blockquote',
    'HorizontalRule',
    'BulletList',
    'OrderedList',
    'ATXHeading',
    'HTMLBlock',
    'SetextHeading',
    'Emphasis',
    'HardBreak',
  ],
  parseInline: [bounded('HTMLTag', '<', isNoTag), bounded('LinkEnd', ']', isNoLinkEnd)],
});
