import { countOf, formatCount, formatDuration, formatRate } from './format.ts';
import { rateOf, type RunView } from './run-view.ts';
import { safeText, truncate } from './safe-text.ts';
import type { Style } from './style.ts';

const STAGES = {
  reading: 'reading',
  embedding: 'embedding',
  sweeping: 'removing',
  publishing: 'publishing',
  ended: 'ended',
};

/**
 * One line for one run: bar, share, chunks, rate, time left, stage.
 * @param minShare the share never goes back below this, while the corpus is still being read and its size is guessed
 */
export function progressLine(view: RunView, style: Style, minShare = 0): string {
  const { run } = view;
  const share = view.share === null ? null : Math.max(view.share, minShare);
  const percent = share === null ? '  ?%' : `${String(Math.floor(share * 100)).padStart(3)}%`;
  const total =
    view.chunksExpected === null ? '?' : `${run.sealed ? '' : '~'}${formatCount(view.chunksExpected)}`;
  const parts = [`${formatCount(view.chunksDone)}/${total} chunks`];
  if (rateOf(run) > 0) parts.push(`${formatRate(rateOf(run))}/s`);
  if (run.state === 'running')
    parts.push(view.etaSeconds === null ? 'ETA ?' : `ETA ${formatDuration(view.etaSeconds)}`);
  parts.push(run.state === 'running' ? STAGES[run.stage] : run.state);
  if (run.deadLetters > 0) parts.push(countOf(run.deadLetters, 'dead letter'));
  const text = truncate(`${percent}  ${parts.join('  ')}`, style.columns - 32);
  const line = `${style.cyan(bar(share ?? 0, 24))} ${text}`;
  return view.waitingFor === null
    ? line
    : `${line}\n  ${style.yellow(truncate(`waiting for ${safeText(view.waitingFor)}`, style.columns - 4))}`;
}

/** A bar of blocks for a share of 0 to 1. */
export function bar(share: number, width: number): string {
  const filled = Math.round(share * width);
  return `[${'█'.repeat(filled)}${'░'.repeat(width - filled)}]`;
}
