import { Queue } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { connectRedis } from '@embedline/core';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/temporary.ts';

const port = await freePort();
const KINDS = [
  ['a server', `redis://127.0.0.1:${port}`],
  ['Sentinels', `redis+sentinel://127.0.0.1:${port}/mymaster`],
  ['a cluster', `redis+cluster://127.0.0.1:${port}`],
] as const;

test.each(
  KINDS.flatMap(([kind, url]) => (['producer', 'worker'] as const).map((role) => [kind, url, role] as const)),
)(
  'what %s was asked while it is away has its answer when the client disconnects (%s, %s)',
  async (_, url, role) => {
    const redis = connectRedis({ url, role });
    const asked = redis.get('key').then(
      () => 'answered',
      (error: Error) => error.message,
    );
    // Sentinels are asked again within the state of connecting.
    await until('the client waits', () => redis.status === 'reconnecting' || url.includes('sentinel'));
    redis.disconnect();
    expect(await asked).toMatch(/closed|available/);
    await until('the client has ended', () => redis.status === 'end');
  },
);

test('a queue of BullMQ whose Redis is away lets go when the client disconnects', async () => {
  const redis = connectRedis({ url: `redis://127.0.0.1:${port}`, role: 'producer' });
  const queue = new Queue('queue', { connection: redis, skipMetasUpdate: true });
  onTestFinished(() => queue.close());
  queue.on('error', () => undefined);
  const added = queue.add('job', {}).then(
    () => 'added',
    (error: Error) => error.message,
  );
  await until('the client waits', () => redis.status === 'reconnecting');
  redis.disconnect();
  expect(await added).toMatch(/closed|ECONNREFUSED/);
});
