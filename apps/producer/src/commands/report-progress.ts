import { connectedWorkers, type RunProgress, type RunSpec } from '@embedline/core';
import { createLiveArea } from '../terminal/live-area.ts';
import { progressLine } from '../terminal/progress-line.ts';
import { runJson, viewRun } from '../terminal/run-view.ts';
import { safeText } from '../terminal/safe-text.ts';
import { printJson, type CommandContext, type RunServices } from './context.ts';

export interface ProgressReport {
  start(spec: RunSpec): void;
  notice(text: string): void;
  /** Shows how the run ended: the last bar is that of the end. */
  finish(run: RunProgress): void;
  /** Idempotent. */
  close(): void;
}

const TERMINAL_EVERY_MS = 200;
const JSON_EVERY_MS = 2_000;

/** Shows a run while it goes on: a bar on stderr for people, objects on stdout for programs. */
export function reportProgress({
  context,
  services,
  json,
  startsWorkers = false,
}: {
  readonly context: CommandContext;
  readonly services: RunServices;
  readonly json: boolean;
  /** Whether the command starts workers of its own. Defaults to false. */
  readonly startsWorkers?: boolean;
}): ProgressReport {
  const area = createLiveArea(context.stderr, context.errorStyle);
  let timer: NodeJS.Timeout | undefined;
  let busy = false;
  let minShare = 0;
  const show = async (runId: string) => {
    const [run, workers] = await Promise.all([
      services.ledger.progress(runId),
      connectedWorkers(services.redis, context.config.prefix),
    ]);
    if (run === null || timer === undefined) return;
    const view = viewRun(run, workers, startsWorkers);
    if (json) printJson(context.stdout, { type: 'progress', ...runJson(view) });
    else area.update(progressLine(view, context.errorStyle, minShare));
    minShare = Math.max(minShare, view.share ?? 0);
  };
  return {
    start: ({ runId }) => {
      timer = setInterval(
        () => {
          if (busy) return;
          busy = true;
          // What goes wrong here goes wrong for the run as well, which reports it.
          void show(runId)
            .catch(() => undefined)
            .finally(() => (busy = false));
        },
        json ? JSON_EVERY_MS : TERMINAL_EVERY_MS,
      );
    },
    notice: (text) => area.print(context.errorStyle.yellow(safeText(text))),
    finish: (run) => {
      clearInterval(timer);
      timer = undefined;
      if (!json && context.errorStyle.interactive)
        area.update(progressLine(viewRun(run, []), context.errorStyle));
    },
    close: () => {
      clearInterval(timer);
      timer = undefined;
      area.close();
    },
  };
}
