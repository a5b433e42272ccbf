import { parser, Table } from '@lezer/markdown';
import type { SyntaxNode } from '@lezer/common';
import { cutText } from './cut-text.ts';
import { dataUrlEdits } from './markup/data-urls.ts';
import { Edits, type Edit } from './markup/edits.ts';
import { htmlEdits } from './markup/html-edits.ts';
import { inlineEdits, tableEdits } from './markup/inline-edits.ts';
import { trim } from './white-space.ts';

/** A leaf of a Markdown document's block structure. Together the blocks cover all that is not white space, in order. */
export interface MarkdownBlock {
  readonly kind: 'heading' | 'prose' | 'lines' | 'table';
  readonly start: number;
  /** Exclusive; neither end is white space. */
  readonly end: number;
  /** Whether a blank line stands before it. */
  readonly afterBlankLine: boolean;
  /** Of a heading that begins a section: one inside a list or a quotation does not. */
  readonly heading: { readonly level: number; readonly title: string } | null;
  /** What is embedded otherwise than it is written, in order. */
  readonly edits: readonly Edit[];
}

/** Blocks only: what stands inside a paragraph does not decide where chunks are cut. */
const blockParser = parser.configure([
  Table,
  {
    remove: [
      'Escape',
      'Entity',
      'InlineCode',
      'HTMLTag',
      'Emphasis',
      'HardBreak',
      'Link',
      'Image',
      'LinkEnd',
    ],
  },
]);

const KINDS: Readonly<Record<string, MarkdownBlock['kind']>> = {
  Paragraph: 'prose',
  LinkReference: 'prose',
  FencedCode: 'lines',
  CodeBlock: 'lines',
  HTMLBlock: 'lines',
  CommentBlock: 'lines',
  ProcessingInstructionBlock: 'lines',
  HorizontalRule: 'lines',
  Table: 'table',
};
const MAX_TITLE_CHARACTERS = 200;
/**
 * Quotation and list marks at the start of one line. The parser takes time in proportion to the nesting for each mark, so
 * beyond a nesting that no person writes a document counts as plain text.
 */
const NESTING = /(?:[ \t]*(?:>|[-+*](?=[ \t]|$)|\d{1,9}[.)](?=[ \t]|$)))+/y;
const MAX_NESTING_CHARACTERS = 300;

/**
 * The block structure of a text by CommonMark and GitHub's tables; null when it is nested deeper than any that a person
 * writes.
 * @param from where the text begins; what stands before is front matter
 * @see https://spec.commonmark.org/0.31.2/#blocks-and-inlines
 */
export function findMarkdownBlocks(text: string, from: number): MarkdownBlock[] | null {
  // The same length, so that offsets hold: the parser knows line feeds only.
  const source = text.slice(from).replaceAll('\r\n', ' \n').replaceAll('\r', '\n');
  if (isNestedTooDeep(source)) return null;
  const blocks: MarkdownBlock[] = [];
  let end = 0;
  for (const leaf of leaves(blockParser.parse(source).topNode)) {
    // Marks of lists and quotations belong to what they stand before.
    const gap = trim(source, end, leaf.from);
    const range = trim(source, gap.start, leaf.to);
    if (range.start === range.end) continue;
    const edits = editsOf(leaf, source, range);
    blocks.push({
      kind: kindOf(leaf),
      start: range.start + from,
      end: range.end + from,
      afterBlankLine: hasBlankLine(source, end, leaf.from),
      heading: headingOf(leaf, source, edits),
      edits: from === 0 ? edits : edits.map((edit) => moved(edit, from)),
    });
    end = leaf.to;
  }
  const rest = trim(source, end, source.length);
  if (rest.start < rest.end)
    blocks.push({
      kind: 'prose',
      start: rest.start + from,
      end: rest.end + from,
      afterBlankLine: hasBlankLine(source, end, rest.start),
      heading: null,
      edits: [],
    });
  return blocks;
}

function isNestedTooDeep(source: string): boolean {
  for (let start = 0; start < source.length;) {
    NESTING.lastIndex = start;
    if ((NESTING.exec(source)?.[0].length ?? 0) > MAX_NESTING_CHARACTERS) return true;
    const newline = source.indexOf('\n', start);
    start = newline === -1 ? source.length : newline + 1;
  }
  return false;
}

/** Blocks that hold no other blocks, in order. */
function* leaves(top: SyntaxNode): Generator<SyntaxNode> {
  const cursor = top.cursor();
  for (let more = cursor.firstChild(); more;) {
    if (KINDS[cursor.name] !== undefined || levelOf(cursor.name) !== null) {
      yield cursor.node;
      more = cursor.next(false);
    } else more = cursor.next();
  }
}

function kindOf({ name }: SyntaxNode): MarkdownBlock['kind'] {
  return KINDS[name] ?? 'heading';
}

/** `ATXHeading2` or `SetextHeading2`, or null. */
function levelOf(name: string): number | null {
  const level = /^(?:ATX|Setext)Heading(?<level>[1-6])$/.exec(name)?.groups?.['level'];
  return level === undefined ? null : Number(level);
}

function editsOf(
  node: SyntaxNode,
  source: string,
  { start, end }: Pick<MarkdownBlock, 'start' | 'end'>,
): Edit[] {
  switch (node.name) {
    case 'FencedCode':
    case 'CodeBlock':
    case 'HorizontalRule':
      return [];
    case 'HTMLBlock':
    case 'CommentBlock':
    case 'ProcessingInstructionBlock':
      return htmlEdits(source, start, end);
    case 'LinkReference':
      return dataUrlEdits(source, start, end);
    case 'Table':
      return tableEdits(source, start, end);
    default:
      return inlineEdits(source, start, end);
  }
}

function moved(edit: Edit, by: number): Edit {
  return { ...edit, start: edit.start + by, end: edit.end + by };
}

function headingOf(node: SyntaxNode, source: string, edits: readonly Edit[]): MarkdownBlock['heading'] {
  const level = levelOf(node.name);
  if (level === null || node.parent?.name !== 'Document') return null;
  const marks = node.getChildren('HeaderMark');
  const [first, last] = [marks[0], marks.at(-1)];
  const isAtx = first !== undefined && first.from === node.from;
  const start = isAtx ? first.to : node.from;
  const end = last !== undefined && last !== (isAtx ? first : undefined) ? last.from : node.to;
  const written = new Edits(edits).apply(source, start, end) ?? source.slice(start, end);
  const title = written.replaceAll(/\s+/g, ' ').trim();
  return { level, title: cutText(title, MAX_TITLE_CHARACTERS) };
}

/** Quotation marks alone on a line leave it blank. */
function hasBlankLine(source: string, start: number, end: number): boolean {
  return /\n[ \t>]*\n/.test(source.slice(Math.max(0, start - 1), end)) || start === 0;
}
