import type { DeadLetter, RunProgress } from '@embedline/core';
import { countOf, formatCount } from './format.ts';
import { safeText, truncate, wrap } from './safe-text.ts';
import type { Style } from './style.ts';

const EXAMPLES_PER_CAUSE = 5;
/** A cause is shown whole, its remedy is at its end; a server's answer may be longer than this. */
const MAX_CAUSE_COLUMNS = 1000;

/**
 * Dead letters of a run grouped by cause, the most frequent first, with examples of each. The groups add up to the
 * total: what is only counted has a line of its own.
 * @param code only those of this code
 */
export function renderDeadLetters(
  run: Pick<RunProgress, 'spec' | 'state' | 'deadLetters' | 'deadLettersByCode'>,
  letters: readonly DeadLetter[],
  style: Style,
  code?: string,
): string {
  const { runId } = run.spec;
  const kept = code === undefined ? letters : letters.filter((letter) => letter.code === code);
  const counted = code === undefined ? run.deadLetters : (run.deadLettersByCode[code] ?? 0);
  // One that was recorded after the run was read is in the list only.
  const count = Math.max(counted, kept.length);
  const which = `run ${runId}${run.state === 'lost' ? ' (lost)' : ''}`;
  if (count === 0) return `Run ${runId} has no dead letters.`;
  const details = count > kept.length ? `; details are kept of ${formatCount(kept.length)}` : '';
  const lines = [`${countOf(count, 'dead letter')} of ${which}${details}`];
  const groups = Map.groupBy(kept, (letter) => `${letter.code}  ${kindOf(letter.reason)}`);
  for (const group of [...groups.values()].sort((a, b) => b.length - a.length))
    for (const line of ['', ...renderGroup(group, style)]) lines.push(line);
  for (const [name, missing] of withoutDetails(run, letters, code))
    lines.push(
      '',
      `${style.bold(formatCount(missing))}  ${safeText(name)}  of which only the number is kept`,
    );
  return lines.join('\n');
}

function renderGroup(group: readonly DeadLetter[], style: Style): string[] {
  const cause = truncate(safeText(`${group[0]?.code ?? ''}  ${commonReason(group)}`), MAX_CAUSE_COLUMNS);
  const count = formatCount(group.length);
  const indent = count.length + 2;
  const [first = '', ...rest] = style.interactive ? wrap(cause, style.columns - indent) : [cause];
  const lines = [`${style.bold(count)}  ${first}`, ...rest.map((line) => `${' '.repeat(indent)}${line}`)];
  const examples = group.toSorted(byPlace).slice(0, EXAMPLES_PER_CAUSE);
  for (const letter of examples) lines.push(`   ${describe(letter)}`);
  if (group.length > EXAMPLES_PER_CAUSE)
    lines.push(style.dim(`   and ${formatCount(group.length - EXAMPLES_PER_CAUSE)} more (--json lists all)`));
  return lines;
}

/** Code and number of the letters of which only the number is kept; a run of version 0.1.0 has them without code. */
function withoutDetails(
  { deadLetters, deadLettersByCode }: Pick<RunProgress, 'deadLetters' | 'deadLettersByCode'>,
  letters: readonly DeadLetter[],
  code: string | undefined,
): [string, number][] {
  const kept = Map.groupBy(letters, (letter) => letter.code);
  const codes = Object.entries(deadLettersByCode);
  const missing = codes
    .map(([name, count]): [string, number] => [name, count - (kept.get(name)?.length ?? 0)])
    .filter(([name, count]) => count > 0 && (code === undefined || name === code));
  const uncoded =
    deadLetters -
    Math.max(
      letters.length,
      codes.reduce((sum, [, count]) => sum + count, 0),
    );
  return code === undefined && uncoded > 0 ? [...missing, ['other', uncoded]] : missing;
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

/** What may differ between reasons of one kind: quoted names, lists of them, and numbers. */
const VARIABLE = /("(?:[^"\\]|\\.)*"(?:, "(?:[^"\\]|\\.)*")*|\d[\d,.]*)/;

/** Equal for reasons that differ in quoted names and numbers only. */
function kindOf(reason: string): string {
  return reason
    .split(VARIABLE)
    .map((part, index) => (index % 2 === 0 ? part : part.startsWith('"') ? '""' : '0'))
    .join('');
}

/** The reason as it was given, with `…` in place of what differs within the group: `UTF-8` stays, line numbers go. */
function commonReason(group: readonly DeadLetter[]): string {
  const reasons = [...new Set(group.map(({ reason }) => reason))].map((reason) => reason.split(VARIABLE));
  const [first = [], ...others] = reasons;
  return first
    .map((part, index) => {
      if (others.every((parts) => parts[index] === part)) return part;
      return part.startsWith('"') ? '"…"' : '…';
    })
    .join('');
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
