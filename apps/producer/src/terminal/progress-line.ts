import { countOf, formatCount, formatDuration, formatRate } from './format.ts';
import { rateOf, type RunView } from './run-view.ts';
import { displayWidth, safeText, wrap } from './safe-text.ts';
import type { Style } from './style.ts';

const STAGES = {
  reading: 'reading',
  embedding: 'embedding',
  sweeping: 'removing',
  publishing: 'publishing',
  ended: 'ended',
};

/** Blocks of a bar. */
const [MIN_BAR, MAX_BAR] = [8, 24];
/** Its brackets, and the blank behind it. */
const BAR_FRAME = 3;

/**
 * One line for one run, or two where the terminal is narrow: bar, share, chunks, rate, time left, stage.
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
  const lines = besideBar(`${percent}  ${parts[0] ?? ''}`, parts.slice(1), share ?? 0, style);
  if (view.waitingFor === null) return lines.join('\n');
  const waiting = wrap(`waiting for ${safeText(view.waitingFor)}`, style.columns - 3);
  return [...lines, ...waiting.map((line) => `  ${style.yellow(line)}`)].join('\n');
}

/** The bar gives way to what stands behind it; what does not fit beside it goes on in a second line. */
function besideBar(first: string, others: readonly string[], share: number, style: Style): string[] {
  // The last column stays free: some terminals go to the next line when it is filled.
  const columns = style.columns - 1;
  const text = [first, ...others].join('  ');
  const room = columns - displayWidth(text) - BAR_FRAME;
  if (room >= MIN_BAR) return [`${style.cyan(bar(share, Math.min(room, MAX_BAR)))} ${text}`];
  const beside = columns - displayWidth(first) - BAR_FRAME;
  const head = `${style.cyan(bar(share, Math.max(1, Math.min(beside, MAX_BAR))))} ${first}`;
  return [head, ...wrap(others.join('  '), columns - 2).map((line) => `  ${line}`)];
}

/** A bar of blocks for a share of 0 to 1. */
export function bar(share: number, width: number): string {
  const filled = Math.round(share * width);
  return `[${'█'.repeat(filled)}${'░'.repeat(width - filled)}]`;
}
