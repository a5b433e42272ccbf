import type { RunProgress } from '@embedline/core';
import type { ReadingReport } from '../readers/reading-notes.ts';
import { describeModel } from './describe-model.ts';
import { formatCount, formatDuration, formatRate } from './format.ts';
import { readingLines } from './reading.ts';
import { chunksJson, rateOf, secondsOf } from './run-view.ts';
import type { Style } from './style.ts';
import { unknownPercent, unknownTokensJson, unknownTokensWarning } from './unknown-tokens.ts';

/** The last line of `ingest --json`; programs rely on its shape. */
export function summaryJson(run: RunProgress, reading?: ReadingReport): object {
  const { producer } = run;
  return {
    type: 'summary',
    run: run.spec.runId,
    state: run.state,
    pipeline: run.spec.pipeline,
    collection: run.spec.collection,
    documents: {
      read: producer.documentsRead,
      new: producer.documentsNew,
      changed: producer.documentsChanged,
      unchanged: producer.documentsUnchanged,
      removed: producer.documentsRemoved,
    },
    chunks: chunksJson(run),
    model: run.spec.model.id,
    engine: run.spec.model.engine ?? null,
    tokens: run.workers.tokensEmbedded,
    truncated: run.workers.chunksTruncated,
    unknownTokens: unknownTokensJson(producer),
    deadLetters: run.deadLetters,
    seconds: Number(secondsOf(run).toFixed(2)),
    ...reading,
  };
}

/** The same for people. */
export function renderSummary(run: RunProgress, style: Style, reading?: ReadingReport): string {
  const { producer, workers, spec } = run;
  const seconds = secondsOf(run);
  const count = (value: number, label: string) => (value === 0 ? null : `${formatCount(value)} ${label}`);
  const list = (...parts: (string | null)[]) => parts.filter((part) => part !== null).join(', ');
  const documents = list(
    count(producer.documentsNew, 'new'),
    count(producer.documentsChanged, 'changed'),
    count(producer.documentsUnchanged, 'unchanged'),
    count(producer.documentsRemoved, 'removed'),
  );
  const chunks = list(
    `${formatCount(workers.chunksEmbedded)} embedded`,
    count(producer.chunksReused, 'reused'),
    `${formatCount(producer.chunksSkipped)} skipped`,
    count(producer.chunksPayloadUpdated, 'payload updated'),
    `${formatCount(producer.chunksRemoved)} removed`,
    count(producer.chunksKeptStale, 'kept as stale'),
  );
  const rate = workers.chunksEmbedded === 0 ? '' : ` (${formatRate(rateOf(run))} chunks/s)`;
  const letters = formatCount(run.deadLetters);
  const rows: [string, string][] = [
    ['documents', `${formatCount(producer.documentsRead)} read${documents === '' ? '' : `: ${documents}`}`],
    ['chunks', `${formatCount(producer.chunksTotal)} in the corpus: ${chunks}`],
    ['model', describeModel(spec.model)],
    ['tokens', `${formatCount(workers.tokensEmbedded)} embedded${unknownNote(producer)}`],
    [
      'truncated',
      workers.chunksTruncated === 0
        ? '0'
        : style.yellow(`${formatCount(workers.chunksTruncated)} chunks are longer than the model takes`),
    ],
    [
      'dead letters',
      run.deadLetters === 0
        ? letters
        : style.yellow(`${letters} (embedline failed list --run ${spec.runId})`),
    ],
    ['time', `${formatDuration(seconds)}${rate}`],
  ];
  const state = run.state === 'done' ? style.green('done') : style.red(run.state);
  const head = `${style.bold(spec.collection)} ${state}  ${style.dim(`run ${spec.runId}, ${spec.generation.name}`)}`;
  const unknown = unknownTokensWarning(producer);
  const warnings = unknown === null ? [] : [style.yellow(unknown)];
  const told = reading === undefined ? [] : readingLines(reading).map((line) => style.yellow(`  ${line}`));
  const lines = rows.map(([label, value]) => `  ${label.padEnd(13)} ${value}`);
  return [head, ...lines, ...told, ...warnings].join('\n');
}

function unknownNote(producer: RunProgress['producer']): string {
  const percent = unknownPercent(producer);
  return percent === null ? '' : `; ${percent} of those cut are unknown to the model`;
}
