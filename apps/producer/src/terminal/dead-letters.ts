import type { DeadLetter } from '@embedline/core';
import { formatCount } from './format.ts';
import { safeText, truncate } from './safe-text.ts';
import type { Style } from './style.ts';

const EXAMPLES_PER_CAUSE = 5;

/** Dead letters of a run grouped by cause, the most frequent first, with examples of each. */
export function renderDeadLetters(
  runId: string,
  count: number,
  letters: readonly DeadLetter[],
  style: Style,
): string {
  if (letters.length === 0) return `Run ${runId} has no dead letters.`;
  const groups = Map.groupBy(letters, (letter) => `${letter.code}  ${causeOf(letter.reason)}`);
  const lines = [`${formatCount(count)} dead letters of run ${runId}`];
  for (const [cause, group] of [...groups].sort(([, a], [, b]) => b.length - a.length)) {
    lines.push('', `${style.bold(formatCount(group.length))}  ${safeText(cause)}`);
    const examples = group.toSorted(byPlace).slice(0, EXAMPLES_PER_CAUSE);
    for (const letter of examples) lines.push(`   ${describe(letter)}`);
    if (group.length > EXAMPLES_PER_CAUSE)
      lines.push(
        style.dim(`   and ${formatCount(group.length - EXAMPLES_PER_CAUSE)} more (--json lists all)`),
      );
  }
  return lines.join('\n');
}

/** Workers give up in any order; a reader compares one listing with the next. */
function byPlace(a: DeadLetter, b: DeadLetter): number {
  return (
    compareStrings(a.origin?.file ?? '', b.origin?.file ?? '') ||
    (a.origin?.line ?? 0) - (b.origin?.line ?? 0) ||
    compareStrings(a.documentId ?? '', b.documentId ?? '') ||
    (a.chunkIndex ?? 0) - (b.chunkIndex ?? 0)
  );
}

function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The reason without what differs from letter to letter: numbers and quoted names. */
function causeOf(reason: string): string {
  return reason
    .replace(/"(?:[^"\\]|\\.)*"/g, '"…"')
    .replace(/\d[\d,.]*/g, 'N')
    .slice(0, 160);
}

function describe(letter: DeadLetter): string {
  const place =
    letter.origin === null
      ? ''
      : `${letter.origin.file}${letter.origin.line === undefined ? '' : `:${letter.origin.line}`}`;
  const chunk = letter.chunkIndex === null ? '' : ` chunk ${letter.chunkIndex}`;
  const document = letter.documentId === null ? '' : `document ${letter.documentId}${chunk}`;
  return safeText([place, document, truncate(letter.reason, 120)].filter((part) => part !== '').join('  '));
}
