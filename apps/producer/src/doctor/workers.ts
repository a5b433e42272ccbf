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
  return [ok('workers', count), ...sameVersion(connected), ...waiting(connected)];
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
    warning('waiting workers', `${held.workerId} waits: ${held.waitingFor}`, 'Mend what it waits for.'),
  ];
}
