import { connectRedis, examineTopology, loadConfig, parseRedisUrl, probeRedis } from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { finding } from '../support/doctor.ts';
import { surviveFailover } from '../support/failover-story.ts';
import { roleOf, startSentinelGroup } from '../support/redis-groups.ts';
import { until } from '../support/temporary.ts';

test('Redis Sentinel: the primary is killed in the middle of a run, which ends exactly', async () => {
  const { primary, replicas, sentinels, url, env } = await startSentinelGroup();
  const access = loadConfig({ REDIS_URL: url, ...env }).redisAccess;
  await probeRedis(url, { access });
  await expect(probeRedis(url)).rejects.toThrow(/Sentinel at .*NOAUTH.*REDIS_SENTINEL_PASSWORD/);
  await expect(probeRedis(url.replace('the-primary', 'mymaster'), { access })).rejects.toThrow(
    /watches no primary of the name mymaster\. It watches: the-primary\./,
  );
  await expect(probeRedis(`${url}/99`, { access })).rejects.toThrow(/no database 99\./);
  const [sentinel] = sentinels;
  const asServer = `${url.replace(/redis\+sentinel(.*@).*/, 'redis$1')}127.0.0.1:${sentinel?.port ?? 0}`;
  await expect(probeRedis(asServer)).rejects.toThrow(/is a Sentinel.*redis\+sentinel:.*\/the-primary/);
  const bench = await surviveFailover({ REDIS_URL: `${url}/3`, ...env }, async () => {
    await primary.kill();
    await until('a replica has taken over', async () =>
      (await Promise.all(replicas.map(roleOf))).includes('master'),
    );
  });
  const redis = connectRedis({ url, access, role: 'producer' });
  onTestFinished(() => redis.disconnect());
  const examine = () => examineTopology({ redis, address: parseRedisUrl(url), access, prefix: bench.prefix });
  expect(await examine()).toMatchObject([
    {
      verdict: 'ok',
      found: expect.stringMatching(
        /3 of 3 Sentinels answer; primary the-primary is \S+, followed by/,
      ) as string,
    },
  ]);
  await sentinel?.kill();
  expect(await examine()).toMatchObject([
    { verdict: 'ok', found: expect.stringContaining('2 of 3') as string },
    { verdict: 'warning', found: expect.stringContaining('cannot be reached') as string },
  ]);
  expect(await finding(bench, 'Redis topology')).toMatchObject({ verdict: 'ok' });
});
