import { readingLines } from '../../apps/producer/src/terminal/reading.ts';
import type { CheckedFiles } from './check-files.ts';

const MOST_VIOLATIONS = 50;

/** For people, a line each. */
export function renderCheck(
  { documents, chunks, violations, refused, report }: CheckedFiles,
  seconds: number,
): string[] {
  const read = Object.entries(documents).map(([format, count]) => `${format} ${count}`);
  const total = refused.reduce((sum, { count }) => sum + count, 0);
  const more = violations.length - MOST_VIOLATIONS;
  return [
    `read: ${read.length === 0 ? 'nothing' : read.join(', ')}; ${chunks} chunks, in ${seconds.toFixed(1)} s`,
    ...readingLines(report),
    `refused: ${total}`,
    ...refused.map(({ cause, count, at }) => `  ${count} ${cause} (${at})`),
    `violations: ${violations.length}`,
    ...violations.slice(0, MOST_VIOLATIONS).map((violation) => `  ${violation}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}
