import { EmbedlineError, Releasers, type DeadLetter, type RunLedger } from '@embedline/core';
import { formatCount } from '../terminal/format.ts';
import { safeText, truncate } from '../terminal/safe-text.ts';
import type { Style } from '../terminal/style.ts';
import { EXIT, openRunServices, printJson, printLine, type CommandContext } from './context.ts';

export interface FailedFlags {
  readonly run?: string;
  readonly json?: true;
}

/** `embedline failed list`: what was given up on, grouped by cause. @returns the exit code */
export async function listFailed(flags: FailedFlags, context: CommandContext): Promise<number> {
  await using releasers = new Releasers();
  const { ledger } = await openRunServices(context, releasers);
  const run = await chooseRun(ledger, flags.run);
  const letters = await ledger.deadLetters(run.runId);
  if (flags.json === true)
    for (const letter of letters) printJson(context.stdout, { run: run.runId, ...letter });
  else printLine(context.stdout, render(run.runId, run.count, letters, context.style));
  return EXIT.done;
}

async function chooseRun(
  ledger: RunLedger,
  runId: string | undefined,
): Promise<{ runId: string; count: number }> {
  const runs = runId === undefined ? await ledger.list() : [await ledger.progress(runId)];
  const run =
    runs.find((candidate) => candidate !== null && (runId !== undefined || candidate.deadLetters > 0)) ??
    runs[0];
  if (run !== null && run !== undefined) return { runId: run.spec.runId, count: run.deadLetters };
  throw new EmbedlineError(
    'RUN_NOT_FOUND',
    runId === undefined
      ? 'There are no runs yet.'
      : `There is no run ${JSON.stringify(runId)} in this Redis.`,
  );
}

const EXAMPLES_PER_CAUSE = 5;

function render(runId: string, count: number, letters: readonly DeadLetter[], style: Style): string {
  if (letters.length === 0) return `Run ${runId} has no dead letters.`;
  const groups = Map.groupBy(letters, (letter) => `${letter.code}  ${causeOf(letter.reason)}`);
  const lines = [`${formatCount(count)} dead letters of run ${runId}`];
  for (const [cause, group] of [...groups].sort(([, a], [, b]) => b.length - a.length)) {
    lines.push('', `${style.bold(formatCount(group.length))}  ${safeText(cause)}`);
    for (const letter of group.slice(0, EXAMPLES_PER_CAUSE)) lines.push(`   ${describe(letter)}`);
    if (group.length > EXAMPLES_PER_CAUSE)
      lines.push(
        style.dim(`   and ${formatCount(group.length - EXAMPLES_PER_CAUSE)} more (--json lists all)`),
      );
  }
  return lines.join('\n');
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
