import { isSound, verdictOf, type Verdict, type Verification } from '../verify/verify.ts';
import { countOf, formatCount } from './format.ts';
import { readingLines } from './reading.ts';
import { safeText } from './safe-text.ts';
import type { Style } from './style.ts';
import { renderTable } from './table.ts';

export function verificationJson(pipeline: string, found: Verification): object {
  const { reading, ...rest } = found;
  const altered = { ...found.altered, sample: found.altered.sample.slice(0, 5) };
  const verdict = verdictOf(found);
  return { type: 'verification', pipeline, sound: isSound(found), verdict, ...rest, altered, ...reading };
}

export function renderVerification(pipeline: string, found: Verification, style: Style): string {
  const { vectors, health } = found;
  const count = (value: number | null) => (value === null ? '?' : formatCount(value));
  const verdict = showVerdict(verdictOf(found), style);
  const table = renderTable(
    [{ header: 'CHECK' }, { header: 'FOUND', align: 'right' }, { header: 'MEANING' }],
    [
      ['missing', count(found.missing), 'chunks of the corpus without a point'],
      ['stale', count(found.stale), 'points with an older text, metadata or offsets'],
      ['orphaned', count(found.orphaned), 'points of what is gone from the corpus'],
      ['duplicate', count(found.duplicate), 'points besides the one of their chunk'],
      [
        'altered',
        count(found.altered.altered),
        'points whose id, text, payload and vector contradict each other',
      ],
      ['unnamed', count(found.unnamed), 'points of pipelines that the collection does not name'],
      ['not judged', count(found.unjudged), 'points of documents that cannot be read, or may be gone'],
      [
        'wrong vectors',
        count(vectors.wrong.length),
        `of ${formatCount(vectors.checked)} made again${cosines(found)}`,
      ],
      ['truncated', count(vectors.truncated), 'of these are longer than the model takes'],
      ['store', health.healthy ? 'ok' : 'ill', safeText(health.detail)],
    ],
    style,
  );
  const examples = [
    ...found.sample.map((id) => JSON.stringify(id)),
    ...[...found.altered.sample, ...vectors.wrong]
      .slice(0, 3)
      .map(({ documentId, chunkIndex, why }) => `${JSON.stringify(documentId)} chunk ${chunkIndex}: ${why}`),
  ];
  return [
    `${style.bold(pipeline)} ${verdict}  ${style.dim(`${found.generation}, ${formatCount(found.documents)} documents, ${formatCount(found.chunks)} chunks, ${formatCount(found.points)} points`)}`,
    table,
    ...(examples.length === 0 ? [] : [`for example: ${safeText(examples.join('; '))}`]),
    ...[...readingLines(found.reading), ...unread(found)].map((line) => style.yellow(line)),
    ...(verdictOf(found) === 'unsound' ? ['Fix it with --repair, which is an ingest.'] : []),
  ].join('\n');
}

function showVerdict(verdict: Verdict, style: Style): string {
  switch (verdict) {
    case 'sound':
      return style.green('sound');
    case 'unsound':
      return style.red('not what the corpus says');
    case 'unknown':
      return style.yellow('could not be judged in full: not all of the corpus can be read');
  }
}

function cosines({ vectors: { minCosine, meanCosine } }: Verification): string {
  if (minCosine === null || meanCosine === null) return '';
  return `, cosine ${meanCosine.toFixed(5)} on average, ${minCosine.toFixed(5)} at least`;
}

function unread({ deadLetters, problems }: Verification): string[] {
  const lines = deadLetters === 0 ? [] : [`${countOf(deadLetters, 'record')} cannot be read.`];
  if (problems.length > 0)
    lines.push(
      `What is orphaned cannot be told, since the corpus was not read completely: ${safeText(problems.join('; '))}`,
    );
  return lines;
}
