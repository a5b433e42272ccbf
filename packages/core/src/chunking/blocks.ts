import { isBlank, linesOf, type Line } from './lines.ts';
import { findMarkdownBlocks, type MarkdownBlock } from './markdown-blocks.ts';

export type TextFormat = 'plain' | 'markdown';

/** A stretch of text that its format sets apart: a paragraph, a heading, a table, a block of code. */
export type Block = MarkdownBlock;

/** The blocks of a text from `from` on, in order; together they cover all that is not white space. */
export function findBlocks(text: string, format: TextFormat, from: number): readonly Block[] {
  return (format === 'markdown' ? findMarkdownBlocks(text, from) : null) ?? paragraphs(text, from);
}

/** Plain text has no structure but blank lines. */
function paragraphs(text: string, from: number): Block[] {
  const blocks: Block[] = [];
  let first: Line | null = null;
  let last: Line | null = null;
  const end = () => {
    if (first !== null && last !== null)
      blocks.push({
        kind: 'prose',
        start: first.start,
        end: last.end,
        afterBlankLine: true,
        heading: null,
        edits: [],
      });
    first = null;
  };
  for (const line of linesOf(text, from, text.length)) {
    if (isBlank(text, line)) end();
    else {
      first ??= line;
      last = line;
    }
  }
  end();
  return blocks;
}
