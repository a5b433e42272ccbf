import { EmbedlineError, runKeys, type ErrorCode } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { batchFleet } from '../support/batch-fleet.ts';
import { until } from '../support/temporary.ts';

const refuse = (code: ErrorCode) => () => {
  throw new EmbedlineError(code, `refused with ${code}`);
};

describe('a run that a worker cannot serve', () => {
  test.each(['STORE_MISMATCH', 'STORE_UNAUTHORIZED', 'MODEL_MISMATCH', 'COLLECTION_NOT_FOUND'] as const)(
    'is left to others, however often the worker is started again: %s',
    async (code) => {
      const { enqueue, start, attempts, run } = batchFleet();
      await enqueue('run-1', 5);
      for (let restart = 0; restart < 35; restart += 1) {
        const wrong = start({ prove: refuse(code) });
        await until('it refuses', () => wrong.refusals().length > 0);
        expect(wrong.refusals()).toMatchObject([{ runId: 'run-1', code, reason: `refused with ${code}` }]);
        await wrong.close(0);
      }
      expect(await attempts('run-1')).toEqual([]);
      start();
      await until('all is done', async () => (await run('run-1')).workers.batchesDone === 5);
      expect(await run('run-1')).toMatchObject({ deadLetters: 0, workers: { chunksEmbedded: 10 } });
    },
  );

  test('does not keep the worker from serving others', async () => {
    const { enqueue, start, attempts, run } = batchFleet();
    await enqueue('foreign', 3);
    await enqueue('own', 3);
    const worker = start({ prove: ({ runId }) => runId === 'foreign' && refuse('STORE_MISMATCH')() });
    await until('its own run is done', async () => (await run('own')).workers.batchesDone === 3);
    expect(worker.refusals()).toMatchObject([{ runId: 'foreign' }]);
    expect(await attempts('foreign')).toEqual([]);
    expect(await run('foreign')).toMatchObject({ deadLetters: 0, workers: { batchesDone: 0 } });
  });

  test('is looked at again, and served once its operator has repaired what was wrong', async () => {
    const { enqueue, start, run } = batchFleet();
    await enqueue('run-1', 2);
    let isRight = false;
    const worker = start({ prove: () => !isRight && refuse('MODEL_NOT_FOUND')() }, { judgeAgainMs: 20 });
    await until('it refuses', () => worker.refusals().length > 0);
    isRight = true;
    await until('all is done', async () => (await run('run-1')).workers.batchesDone === 2);
    expect(worker.refusals()).toEqual([]);
  });

  test('in the middle of the work, as when a key is revoked, gets its batch back, and nothing is counted', async () => {
    const { enqueue, start, redis, prefix, run } = batchFleet();
    await enqueue('run-1', 4);
    const waiting = `${prefix}:${runKeys(prefix).queueName('run-1')}:wait`;
    let written = 0;
    let isRevoked = true;
    const upsert = () => {
      written += 1;
      if (written > 1 && isRevoked) refuse('STORE_UNAUTHORIZED')();
    };
    const worker = start({ upsert }, { judgeAgainMs: 3_000 });
    await until('it refuses', () => worker.refusals().length > 0);
    await until('the batch is back', async () => (await redis.llen(waiting)) === 3);
    const jobs = await redis.lrange(waiting, 0, -1);
    const made = await Promise.all(jobs.map((id) => redis.hget(`${waiting.slice(0, -5)}:${id}`, 'atm')));
    expect(made.filter((count) => count !== null && count !== '0')).toEqual([]);
    isRevoked = false;
    await until('all is done', async () => (await run('run-1')).workers.batchesDone === 4);
    expect(await run('run-1')).toMatchObject({ deadLetters: 0, workers: { chunksEmbedded: 8 } });
  });
});

test('runs take turns: a small one does not wait for a large one that began before', async () => {
  const { enqueue, start, run } = batchFleet();
  await enqueue('large', 40);
  await enqueue('small', 2);
  const order: string[] = [];
  start({ upsert: ({ runId }) => void order.push(runId) });
  await until('all is done', async () => (await run('large')).workers.batchesDone === 40);
  expect(order.lastIndexOf('small')).toBeLessThan(20);
});

describe('what was handed back', () => {
  test('by a stop, 35 times over, is no attempt', async () => {
    const { enqueue, start, run } = batchFleet();
    await enqueue('run-1', 1);
    for (let stop = 0; stop < 35; stop += 1) {
      const begun = Promise.withResolvers<undefined>();
      const hold = Promise.withResolvers<undefined>();
      const worker = start({
        upsert: async () => {
          begun.resolve(undefined);
          await hold.promise;
          throw new EmbedlineError('STORE_UNREACHABLE', 'cut off by the stop');
        },
      });
      await begun.promise;
      const closed = worker.close(0);
      setTimeout(() => hold.resolve(undefined), 5);
      await closed;
    }
    start();
    await until('it is done', async () => (await run('run-1')).workers.batchesDone === 1);
    expect(await run('run-1')).toMatchObject({ deadLetters: 0, workers: { chunksEmbedded: 2 } });
  });
});

describe('a run that has ended', () => {
  test('has its queue dropped by the workers that served it, though its producer did not', async () => {
    const { enqueue, start, redis, prefix, ledger, run } = batchFleet();
    await enqueue('run-1', 3);
    const hold = Promise.withResolvers<undefined>();
    start({ upsert: () => hold.promise });
    const queue = `${prefix}:${runKeys(prefix).queueName('run-1')}`;
    await until('a batch is under way', async () => (await redis.llen(`${queue}:active`)) > 0);
    await ledger.end('run-1', 'interrupted', 'stopped');
    hold.resolve(undefined);
    await until('the queue is gone', async () => (await redis.keys(`${queue}:*`)).length === 0);
    expect(await run('run-1')).toMatchObject({ state: 'interrupted', deadLetters: 0 });
  });

  test('gets no dead letters, and no progress, from what fails afterwards', async () => {
    const { enqueue, start, ledger, redis, prefix, run } = batchFleet();
    await enqueue('run-1', 1);
    const hold = Promise.withResolvers<undefined>();
    start({ upsert: () => hold.promise.then(refuse('STORE_REJECTED')) });
    const queue = `${prefix}:${runKeys(prefix).queueName('run-1')}`;
    await until('a batch is under way', async () => (await redis.llen(`${queue}:active`)) > 0);
    await ledger.end('run-1', 'failed', 'its process died');
    hold.resolve(undefined);
    await until('the queue is gone', async () => (await redis.keys(`${queue}:*`)).length === 0);
    expect(await run('run-1')).toMatchObject({
      deadLetters: 0,
      workers: { batchesDone: 0, chunksEmbedded: 0 },
    });
  });

  test('is dropped whole, however many batches wait', async () => {
    const { enqueue, queue, redis, prefix } = batchFleet();
    await enqueue('run-1', 300);
    await queue.removeRun('run-1');
    expect(await redis.keys(`${prefix}:${runKeys(prefix).queueName('run-1')}:*`)).toEqual([]);
  });
});

describe('what a newer program wrote', () => {
  test('within the version: fields that are not known change nothing', async () => {
    const { enqueue, start, redis, prefix, run } = batchFleet();
    await enqueue('run-1', 2);
    const keys = runKeys(prefix);
    const spec = JSON.parse((await redis.hget(keys.run('run-1'), 'spec')) ?? '') as Record<string, unknown>;
    const more = { ...spec, shards: 3, model: { ...(spec['model'] as object), matryoshka: 64 } };
    await redis.hset(keys.run('run-1'), 'spec', JSON.stringify(more));
    const queue = `${prefix}:${keys.queueName('run-1')}`;
    for (const id of await redis.lrange(`${queue}:wait`, 0, -1)) {
      const job = JSON.parse((await redis.hget(`${queue}:${id}`, 'data')) ?? '') as Record<string, unknown>;
      await redis.hset(`${queue}:${id}`, 'data', JSON.stringify({ ...job, priority: 'high' }));
    }
    start();
    await until('all is done', async () => (await run('run-1')).workers.batchesDone === 2);
    expect(await run('run-1')).toMatchObject({ deadLetters: 0, workers: { chunksEmbedded: 4 } });
  });

  test('a run of a newer version is left to newer workers', async () => {
    const { enqueue, start, attempts, redis, prefix, ledger } = batchFleet();
    await enqueue('run-1', 2);
    const key = runKeys(prefix).run('run-1');
    const spec = JSON.parse((await redis.hget(key, 'spec')) ?? '') as object;
    await redis.hset(key, 'spec', JSON.stringify({ ...spec, version: 3, generation: 'of another shape' }));
    const worker = start();
    await until('it refuses', () => worker.refusals().length > 0);
    expect(worker.refusals()).toMatchObject([
      { code: 'VERSION_UNSUPPORTED', reason: expect.stringMatching(/newer version.*Update/) as string },
    ]);
    expect(await attempts('run-1')).toEqual([]);
    await expect(ledger.progress('run-1')).rejects.toMatchObject({ code: 'VERSION_UNSUPPORTED' });
  });

  test('a job of a newer version goes back, and its run is left to newer workers', async () => {
    const { enqueue, start, redis, prefix, run } = batchFleet();
    await enqueue('run-1', 1);
    const queue = `${prefix}:${runKeys(prefix).queueName('run-1')}`;
    const [id = ''] = await redis.lrange(`${queue}:wait`, 0, -1);
    await redis.hset(`${queue}:${id}`, 'data', JSON.stringify({ version: 3, texts: 'elsewhere' }));
    const worker = start();
    await until('it refuses', () => worker.refusals()[0]?.code === 'VERSION_UNSUPPORTED');
    await until('the job is back', async () => (await redis.llen(`${queue}:wait`)) === 1);
    expect(await run('run-1')).toMatchObject({ deadLetters: 0, workers: { batchesDone: 0 } });
  });

  test('a damaged record is refused by a name of its own', async () => {
    const { enqueue, start, redis, prefix } = batchFleet();
    await enqueue('run-1', 1);
    await redis.hset(runKeys(prefix).run('run-1'), 'spec', '{"version":2,"runId":"run-1"}');
    const worker = start();
    await until('it refuses', () => worker.refusals()[0]?.code === 'RUN_INVALID');
  });
});
