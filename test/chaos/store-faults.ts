import { execFileSync } from 'node:child_process';
import { readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpFault } from '../support/http-proxy.ts';
import type { Fault } from './fault.ts';
import { untilProgress, untilStalled, type ChaosSystem } from './system.ts';

/** Size of the file system that the embedded store has for itself: more than any form of the runner writes. */
export const AMPLE = '16g';
/** What is left of it when there is no room: used up at once. */
const LAST_BYTES = 1024 * 1024;
const AWAY_MS = 2_000;

/** What happens to the files of the embedded store. */
export const SQLITE_FAULTS: readonly Fault[] = [
  {
    name: 'SQLite file locked by another program',
    times: { short: 1, full: 5 },
    inject: async (system) => {
      const locked = new DatabaseSync(await generationFile(system), { timeout: 10_000 });
      locked.exec('BEGIN EXCLUSIVE');
      await untilStalled(system);
      locked.exec('ROLLBACK');
      locked.close();
      return untilProgress(system);
    },
  },
  {
    name: 'disk full',
    times: { short: 1, full: 3 },
    impossible: ({ ownDisk }) => (ownDisk ? null : 'needs the right to mount a file system'),
    inject: async (system) => {
      const directory = system.sqliteDirectory ?? '';
      const { blocks, bfree, bsize } = await statfs(directory);
      resize(directory, String((blocks - bfree) * bsize + LAST_BYTES));
      await untilStalled(system);
      resize(directory, AMPLE);
      return untilProgress(system);
    },
  },
];

const json = (status: number, message: string, headers: Record<string, string> = {}): HttpFault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ status: { error: message }, time: 0 }),
});
const page = (status: number): HttpFault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'text/html' },
  body: '<html><title>We will be back soon</title></html>',
});

const QDRANT_ANSWERS: readonly (readonly [string, HttpFault])[] = [
  ['429 with Retry-After', json(429, 'Rate limit exceeded', { 'retry-after': '1' })],
  ['503', json(503, 'Service unavailable')],
  ['500 no space left', json(500, 'No space left on device: WAL buffer size exceeds available disk space')],
  ['507', json(507, 'Quota exceeded')],
  ['408', json(408, 'Timeout')],
  ['a page of a proxy, 200', page(200)],
  ['a page of a proxy, 502', page(502)],
  ['only acknowledged', { kind: 'update-status', status: 'acknowledged' }],
  ['wait_timeout', { kind: 'update-status', status: 'wait_timeout' }],
  ['reset before the write', { kind: 'reset-before' }],
  ['reset after the write', { kind: 'reset-after' }],
  ['no answer', { kind: 'hang' }],
];

/** What Qdrant, or what stands in front of it, answers. */
export const QDRANT_FAULTS: readonly Fault[] = [
  {
    name: 'Qdrant away',
    times: { short: 1, full: 10 },
    inject: (system) => disturb(system, { kind: 'reset-before' }, 2 * AWAY_MS),
  },
  ...QDRANT_ANSWERS.map(([name, fault]) => ({
    name: `Qdrant: ${name}`,
    times: { short: 1, full: 3 },
    inject: (system: ChaosSystem) => disturb(system, fault, 0),
  })),
];

/** Until it has met some requests, and at least for the time given. */
async function disturb(system: ChaosSystem, fault: HttpFault, forMs: number): Promise<number> {
  const { qdrant } = system;
  if (qdrant === null) throw new Error('There is no Qdrant to disturb.');
  qdrant.setFault(fault);
  await delay(forMs);
  while (qdrant.disturbed < 4) await delay(20);
  // What resets break has been written all the same, and an update status is only asked of writes.
  if (fault.kind !== 'reset-after') await untilStalled(system);
  qdrant.setFault(null);
  return untilProgress(system);
}

/** Of a file system that is mounted for the test alone. */
function resize(directory: string, size: string): void {
  execFileSync('mount', ['-o', `remount,size=${size}`, directory], { stdio: 'ignore' });
}

async function generationFile({ sqliteDirectory }: ChaosSystem): Promise<string> {
  const directory = sqliteDirectory ?? '';
  const name = (await readdir(directory)).find((file) => /--g\d+-.*\.db$/.test(file));
  if (name === undefined) throw new Error(`There is no generation in ${directory}.`);
  return join(directory, name);
}
