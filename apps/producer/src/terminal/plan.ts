import type { MeasuredRate } from '../plan/measured-rates.ts';
import type { Plan } from '../plan/plan.ts';
import type { Withheld } from '../plan/plan-removal.ts';
import type { Samples } from '../plan/tally.ts';
import { describeModel } from './describe-model.ts';
import { formatCount, formatDuration, formatRate } from './format.ts';
import { readingLines } from './reading.ts';
import { safeText } from './safe-text.ts';
import type { Style } from './style.ts';
import { renderTable } from './table.ts';
import { unknownPercent, unknownTokensJson, unknownTokensWarning } from './unknown-tokens.ts';

/** The last line of `plan --json`: the shape of an ingest's summary, and more. */
export function planJson(
  plan: Plan,
  { rate, seconds }: { readonly rate: MeasuredRate | null; readonly seconds: number },
): object {
  const estimated = estimatedSeconds(plan, rate);
  return {
    type: 'summary',
    run: null,
    state: 'planned',
    pipeline: plan.pipeline,
    collection: plan.collection,
    writes: plan.writes,
    model: plan.model.id,
    engine: plan.model.engine ?? null,
    documents: plan.documents,
    chunks: plan.chunks,
    tokens: plan.tokens,
    unknownTokens: unknownTokensJson(plan),
    deadLetters: plan.deadLetters,
    estimatedSeconds: estimated === null ? null : Math.round(estimated),
    deletionWithheld: plan.withheld?.what === 'deletion' ? plan.withheld.why : null,
    publicationWithheld: plan.withheld?.what === 'publication' ? plan.withheld.why : null,
    samples: plan.samples,
    ...plan.reading,
    seconds: Number(seconds.toFixed(2)),
  };
}

export interface PlanView {
  readonly rate: MeasuredRate | null;
  /** Programs of the configuration that were run to read the corpus. */
  readonly ran: readonly string[];
  readonly style: Style;
}

/** The same for people. */
export function renderPlan(plan: Plan, { rate, ran, style }: PlanView): string {
  const { documents, chunks } = plan;
  const columns = [
    { header: 'DOCUMENTS' },
    { header: 'NUMBER', align: 'right' as const },
    { header: 'FOR EXAMPLE' },
  ];
  const row = (label: string, value: number, kind: keyof Samples | null) => {
    const sample = kind === null ? '' : plan.samples[kind].slice(0, 3).map(safeText).join(', ');
    return [label, formatCount(value), sample];
  };
  const rows = [
    row('new', documents.new, 'new'),
    row('changed', documents.changed, 'changed'),
    row('  metadata only', documents.metadataOnly, 'metadataOnly'),
    row('unchanged', documents.unchanged, null),
    row('removed', documents.removed, 'removed'),
    row('cut into chunks', documents.cut, 'cut'),
    row('rejected', plan.deadLetters, 'rejected'),
  ];
  const table = renderTable(columns, rows, style);
  return [
    `${style.bold(plan.pipeline)}: ${target(plan)}`,
    table,
    '',
    `chunks  ${formatCount(chunks.total)} in the corpus: ${formatCount(chunks.embedded)} to embed, ` +
      `${formatCount(chunks.reused)} reused, ${formatCount(chunks.skipped)} unchanged, ` +
      `${formatCount(chunks.payloadUpdated)} payload updates, ${formatCount(chunks.removed)} to remove`,
    `model   ${describeModel(plan.model)}${plan.whyNotKernel === null ? '' : ` (${plan.whyNotKernel})`}`,
    `tokens  ${formatCount(plan.tokens)} to embed${unknownNote(plan)}`,
    `time    ${estimate(plan, rate)}`,
    ...readingLines(plan.reading).map((line) => style.yellow(line)),
    ...(plan.withheld === null ? [] : [style.yellow(safeText(withheld(plan.withheld)))]),
    ...[unknownTokensWarning(plan)].filter((text) => text !== null).map((text) => style.yellow(text)),
    style.dim(safeText(whatWasWritten(ran))),
  ].join('\n');
}

function whatWasWritten(ran: readonly string[]): string {
  if (ran.length === 0) return 'Nothing was written.';
  return `embedline wrote nothing. It ran ${ran.join(', ')}, which may have.`;
}

function unknownNote(plan: Plan): string {
  const percent = unknownPercent(plan);
  return percent === null ? '' : `; ${percent} of those cut are unknown to the model`;
}

function target({ collection, writes }: Plan): string {
  switch (writes.how) {
    case 'in-place':
      return `collection ${collection} would be updated in place (${writes.generation ?? ''})`;
    case 'continue':
      return `the unfinished generation ${writes.generation ?? ''} of ${collection} would be completed and published`;
    case 'build':
      return `a new generation of ${collection} would be built and published`;
  }
}

function withheld({ what, why }: Withheld): string {
  return what === 'deletion'
    ? `Nothing would be deleted: ${why}`
    : `It would be built, but not published: ${why}`;
}

function estimate(plan: Plan, rate: MeasuredRate | null): string {
  const seconds = estimatedSeconds(plan, rate);
  if (seconds === null) return 'unknown: no ingest with this model has been measured here yet';
  if (rate === null || plan.tokens === 0) return 'nothing to embed';
  const measured = `${formatRate(rate.tokensPerSecond)} tokens/s on ${rate.measuredAt.slice(0, 10)}`;
  if (rate.ofOtherEngine)
    return `about ${formatDuration(seconds)} of embedding at the rate of another engine (${measured}): this one has not been measured here yet`;
  return `about ${formatDuration(seconds)} of embedding, at the rate last measured (${measured})`;
}

function estimatedSeconds({ tokens }: Plan, rate: MeasuredRate | null): number | null {
  if (tokens === 0) return 0;
  return rate === null ? null : tokens / rate.tokensPerSecond;
}
