import { ok, VERSION, warning, type ConnectedWorker, type Finding } from '@embedline/core';
import { withRedis, workersOf, type Check } from './check.ts';

/** Who would embed now. */
export const workers: Check = {
  name: 'workers',
  examine: (surroundings) =>
    withRedis(surroundings, async (redis) => {
      const connected = await workersOf(redis, surroundings);
      const bringsOwn = surroundings.context.config.redisUrl === null;
      return connected.length === 0 ? [nobody(bringsOwn)] : examineWorkers(connected);
    }),
};

function nobody(bringsOwn: boolean): Finding {
  const check = 'workers';
  if (bringsOwn) return ok(check, 'none connected; an ingest starts its own');
  return warning(
    check,
    'No worker is connected: an ingest would wait for one.',
    'Start some with: npx embedline-worker',
  );
}

function examineWorkers(connected: readonly ConnectedWorker[]): Finding[] {
  const processes = connected.reduce((sum, { concurrency }) => sum + concurrency, 0);
  const hosts = new Set(connected.map(({ host }) => host)).size;
  const count = `${connected.length} connected with ${processes} inference processes on ${hosts} hosts`;
  return [ok('workers', count), ...sameVersion(connected), ...waiting(connected), ...refusing(connected)];
}

function sameVersion(connected: readonly ConnectedWorker[]): Finding[] {
  const others = connected.filter(({ version }) => version !== VERSION);
  if (others.length === 0) return [ok('version of workers', VERSION)];
  const named = others.slice(0, 5).map(({ workerId, version }) => `${workerId} is ${version}`);
  return [
    warning(
      'version of workers',
      `${others.length} of ${connected.length} workers are not of version ${VERSION}: ${named.join(', ')}.`,
      'Start producer and workers from one version.',
    ),
  ];
}

function waiting(connected: readonly ConnectedWorker[]): Finding[] {
  const held = connected.find(({ waitingFor }) => waitingFor !== null);
  if (held === undefined) return [];
  return [
    warning('waiting workers', `${held.workerId} waits: ${held.waitingFor}`, 'Repair what it waits for.'),
  ];
}

/** One finding for each reason: a hundred workers with the same wrong key are one mistake. */
function refusing(connected: readonly ConnectedWorker[]): Finding[] {
  const byReason = new Map<string, { runId: string; workerIds: string[] }>();
  for (const { workerId, refusals } of connected) {
    for (const { runId, reason } of refusals) {
      const found = byReason.get(reason) ?? { runId, workerIds: [] };
      found.workerIds.push(workerId);
      byReason.set(reason, found);
    }
  }
  return [...byReason].map(([reason, { runId, workerIds }]) => {
    const others = workerIds.length === 1 ? '' : ` and ${workerIds.length - 1} more`;
    return warning(
      'refusing workers',
      `${workerIds[0] ?? ''}${others} cannot serve run ${runId}: ${reason}`,
      'Set up these workers as the producer of the run, or leave the run to others. A refusal costs it nothing.',
    );
  });
}
