import { describeIgnored } from '../readers/left-out.ts';
import type { ReadingReport } from '../readers/reading-notes.ts';
import { formatCount } from './format.ts';
import { safeText } from './safe-text.ts';

/** What there is to tell of a reading, a line each, with what to do about it. Empty for most corpora. */
export function readingLines(report: ReadingReport): string[] {
  const { ignored, links, skipped, forms, metadataLeftOut, shortRows, duplicates, idsFrom } = report;
  const lines: string[] = [];
  if (ignored.files > 0)
    lines.push(`${describeIgnored(report)} (no reader takes them; --strict makes that an error)`);
  const rules = Object.entries(skipped).map(([rule, count]) => `${formatCount(count)} ${rule}`);
  if (rules.length > 0) lines.push(`kept out by rule: ${rules.join(', ')} (--hidden, --no-ignore)`);
  if (links.count > 0) {
    const named = links.sample.slice(0, 3).map(({ path, why }) => `${path}: ${why}`);
    lines.push(
      `${plural(links.count, 'link')} not followed: ${named.join('; ')}${links.count > 3 ? '; ...' : ''}`,
    );
  }
  for (const { what, files, sample } of forms)
    lines.push(`${what}: ${files === 1 ? '' : `${formatCount(files)} files, such as `}${sample.join(', ')}`);
  for (const { field, records, why, at } of metadataLeftOut)
    lines.push(`metadata left out of ${plural(records, 'record')}: ${field} (${at}: ${why})`);
  if (shortRows.rows > 0)
    lines.push(
      `${plural(shortRows.rows, 'row')} shorter than the header, the first at ${shortRows.at ?? '?'}: the columns behind are blank`,
    );
  if (duplicates > 0)
    lines.push(`${plural(duplicates, 'document')} passed over, whose ids others have (--on-duplicate)`);
  if (idsFrom !== null) lines.push(`ids of text files are counted from ${idsFrom}`);
  return lines.map(safeText);
}

function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
