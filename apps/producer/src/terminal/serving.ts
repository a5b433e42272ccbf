import type { ConnectedWorker, Refusal, RunSpec } from '@embedline/core';

/** A worker that leaves a run to others, and why. */
export interface RefusingWorker extends Refusal {
  readonly workerId: string;
}

/** Who of the connected workers would take batches of a run. */
export interface Serving {
  readonly able: readonly ConnectedWorker[];
  readonly refusing: readonly RefusingWorker[];
  /** Workers of a version that cannot see the run. */
  readonly outdated: readonly ConnectedWorker[];
}

export function servingOf({ runId, version }: RunSpec, workers: readonly ConnectedWorker[]): Serving {
  const outdated = workers.filter(({ format }) => format < version);
  const refusing = workers.flatMap(({ workerId, refusals }) =>
    refusals.filter((refusal) => refusal.runId === runId).map((refusal) => ({ ...refusal, workerId })),
  );
  const others = new Set([...outdated, ...refusing].map(({ workerId }) => workerId));
  return { able: workers.filter(({ workerId }) => !others.has(workerId)), refusing, outdated };
}

/** What a run waits for that none of the connected workers takes; null when one does. */
export function missingWorker({ able, refusing, outdated }: Serving, startsWorkers: boolean): string | null {
  if (able.length > 0) return null;
  const [first] = refusing;
  if (first !== undefined) {
    const others = refusing.length === 1 ? '' : `, as ${refusing.length - 1} more`;
    return `a worker that can serve it: ${first.workerId} does not${others}: ${first.reason}`;
  }
  if (outdated.length === 0 && startsWorkers) return 'its own workers to start';
  if (outdated.length === 0) return 'a worker (none is connected; start one with: npx embedline-worker)';
  return `a worker of a newer version: ${describeOutdated(outdated)}`;
}

export function describeOutdated(outdated: readonly ConnectedWorker[]): string {
  const [first] = outdated;
  const others = outdated.length === 1 ? '' : ` and ${outdated.length - 1} more`;
  return `${first?.workerId ?? ''}${others} (version ${first?.version ?? 'unknown'}) cannot read it. Update embedline there.`;
}
