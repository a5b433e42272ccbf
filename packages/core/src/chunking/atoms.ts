import { cutText } from './cut-text.ts';
import { isHeadingUnderline, listOrTableStart, parseHeading } from './markdown.ts';
import { sentenceEnds } from './sentences.ts';
import { trim } from './white-space.ts';

export type TextFormat = 'plain' | 'markdown';

/** How good a place it is to cut, before an atom; higher is better. */
export const CUT = Object.freeze({
  /** Between a heading and what it is the heading of. */
  never: -1,
  /** Within a sentence: words, or lines of hard-wrapped prose. */
  word: 0,
  sentence: 1,
  line: 2,
  paragraph: 3,
  heading: 4,
});

/** A piece of text that is not cut unless it has to be: a sentence, a heading, a line of code. */
export interface Atom {
  readonly start: number;
  /** Exclusive; neither end is white space. */
  readonly end: number;
  readonly cutBefore: number;
  /** Headings above, outermost first. */
  readonly headings: readonly string[];
}

interface Line {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds a document's atoms from its structure: headings and fenced code (Markdown only), paragraphs, lines, sentences.
 * One linear pass; what an atom is depends on its own paragraph alone, so that an edit elsewhere does not move it.
 */
export function findAtoms(text: string, format: TextFormat): Atom[] {
  const atoms: Atom[] = [];
  let headings: { level: number; title: string }[] = [];
  let fence: string | null = null;
  let paragraph: Line[] = [];
  let afterHeading = false;
  let blankBefore = true;

  const push = (start: number, end: number, cutBefore: number) => {
    const trimmed = trim(text, start, end);
    if (trimmed.start === trimmed.end) return;
    const cut = afterHeading ? CUT.never : cutBefore;
    atoms.push({ ...trimmed, cutBefore: cut, headings: headings.map(({ title }) => title) });
    afterHeading = false;
  };
  const endParagraph = () => {
    pushParagraph(text, paragraph, push);
    paragraph = [];
  };
  const pushHeading = (level: number, title: string, line: Line) => {
    endParagraph();
    headings = [...headings.filter((heading) => heading.level < level), { level, title }];
    afterHeading = false;
    push(line.start, line.end, CUT.heading);
    afterHeading = true;
  };

  for (const line of lines(text)) {
    const content = cutText(text.slice(line.start, Math.min(line.end, line.start + 1001)), 1000);
    const markdown = format === 'markdown';
    const marker = markdown ? /^ {0,3}(`{3,}|~{3,})/.exec(content)?.[1] : undefined;
    if (fence !== null || marker !== undefined) {
      endParagraph();
      push(line.start, line.end, fence === null || blankBefore ? CUT.paragraph : CUT.line);
      if (fence === null) fence = marker ?? null;
      else if (marker !== undefined && marker.startsWith(fence) && content.trim() === marker) fence = null;
      blankBefore = false;
      continue;
    }
    blankBefore = content.trim() === '' && line.end - line.start <= 1000;
    if (blankBefore) {
      endParagraph();
      continue;
    }
    const heading = markdown ? parseHeading(content) : null;
    const [only] = paragraph;
    if (heading !== null) pushHeading(heading.level, heading.title, line);
    else if (markdown && paragraph.length === 1 && only !== undefined && isHeadingUnderline(content)) {
      paragraph = [];
      const level = content.includes('=') ? 1 : 2;
      pushHeading(level, cutText(text.slice(only.start, only.end).trim(), 200), {
        start: only.start,
        end: line.end,
      });
    } else paragraph.push(line);
  }
  endParagraph();
  return atoms;
}

function pushParagraph(
  text: string,
  paragraph: readonly Line[],
  push: (start: number, end: number, cutBefore: number) => void,
): void {
  const first = paragraph[0];
  const last = paragraph.at(-1);
  if (first === undefined || last === undefined) return;
  const cuts = new Map<number, number>();
  for (const end of sentenceEnds(text, first.start, last.end)) cuts.set(end, CUT.sentence);
  for (const [index, line] of paragraph.entries()) {
    if (index === 0) continue;
    const previousEnd = paragraph[index - 1]?.end ?? line.start;
    const strong = cuts.has(previousEnd) || listOrTableStart(text.slice(line.start, line.start + 20));
    cuts.delete(previousEnd);
    cuts.set(line.start, strong ? CUT.line : CUT.word);
  }
  let start = first.start;
  let cutBefore: number = CUT.paragraph;
  for (const [position, cut] of [...cuts].sort(([a], [b]) => a - b)) {
    push(start, position, cutBefore);
    start = position;
    cutBefore = cut;
  }
  push(start, last.end, cutBefore);
}

function* lines(text: string): Generator<Line> {
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    yield { start, end };
    start = end + 1;
  }
}
