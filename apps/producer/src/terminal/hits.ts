import type { SearchHit } from '@embedline/core';
import { safeText, truncate, wrap } from './safe-text.ts';
import type { Style } from './style.ts';

const SNIPPET_LINES = 3;

/** Search results for people: rank, score, document, metadata, where in the document, and a snippet around the query's words. */
export function renderHits(query: string, hits: readonly SearchHit[], style: Style): string {
  if (hits.length === 0) return 'No hits.';
  const words = wordsOf(query);
  return hits.map((hit, index) => renderHit(hit, index + 1, words, style)).join('\n\n');
}

/** The shape that programs rely on. */
export function hitJson({
  score,
  id,
  documentId,
  chunkIndex,
  text,
  metadata,
  title,
  start,
  end,
  stale,
}: SearchHit): object {
  const hit = { score, id, documentId, chunkIndex, text, metadata, title, start, end };
  return stale === true ? { ...hit, stale } : hit;
}

function renderHit(hit: SearchHit, rank: number, words: ReadonlySet<string>, style: Style): string {
  const metadata = Object.entries(hit.metadata)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${safeText(name)} ${safeText(String(value))}`)
    .join(', ');
  const age = hit.stale === true ? '; stale: the document says something else by now' : '';
  const place = `characters ${hit.start}-${hit.end}, chunk ${hit.chunkIndex}${age}`;
  const width = style.columns - 5;
  const indented = (text: string, paint: (line: string) => string) =>
    wrap(text, width).map((line) => `    ${paint(line)}`);
  const [id = '', ...restOfId] = wrap(safeText(hit.documentId), width - 8);
  const head = `${String(rank).padStart(2)}. ${style.green(hit.score.toFixed(3))}  ${style.bold(id)}`;
  const title = hit.title === null ? [] : indented(safeText(hit.title), (line) => style.cyan(line));
  const details = indented(`${metadata === '' ? '' : `${metadata}; `}${place}`, (line) => style.dim(line));
  const snippet = snippetLines(hit.text, words, style.columns - 6).map(
    (line) => `    ${emphasise(line, words, style)}`,
  );
  const moreOfId = restOfId.map((line) => `    ${style.bold(line)}`);
  return [head, ...moreOfId, ...title, ...details, ...snippet].join('\n');
}

/** Lines of the text from a little before the first word of the query that it holds. */
function snippetLines(text: string, words: ReadonlySet<string>, width: number): string[] {
  const all = safeText(text)
    .split(' ')
    .filter((word) => word !== '');
  const hit = all.findIndex((word) =>
    wordsOf(word)
      .values()
      .some((part) => words.has(part)),
  );
  const from = hit === -1 ? 0 : Math.max(0, hit - 8);
  // More than the lines can hold; a text may have a million words, or one of a million letters.
  const shown = all.slice(from, from + SNIPPET_LINES * width);
  const start = [...(from > 0 ? ['…'] : []), ...shown].join(' ').slice(0, 16 * SNIPPET_LINES * width);
  const lines = wrap(start, width);
  if (lines.length <= SNIPPET_LINES) return lines;
  const [last = '', next = ''] = lines.slice(SNIPPET_LINES - 1);
  return [...lines.slice(0, SNIPPET_LINES - 1), truncate(`${last} ${next}`, width)];
}

function emphasise(line: string, words: ReadonlySet<string>, style: Style): string {
  return line
    .split(' ')
    .map((word) =>
      wordsOf(word)
        .values()
        .some((part) => words.has(part))
        ? style.yellow(word)
        : word,
    )
    .join(' ');
}

/** Words of three letters and more, in lower case. */
function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? []);
}
