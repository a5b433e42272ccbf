import {
  checkRedis,
  connectRedis,
  examineTopology,
  NO_REDIS_ACCESS,
  parseRedisUrl,
  probeRedis,
} from '@embedline/core';
import { expect, onTestFinished, test } from 'vitest';
import { surviveFailover } from '../support/failover-story.ts';
import { runInProcess } from '../support/in-process-cli.ts';
import { aclRules, documentedClusterRules } from '../support/redis-acl.ts';
import { connectTo, ownerIn, roleOf, startRedisCluster } from '../support/redis-groups.ts';
import { until } from '../support/temporary.ts';

test('Redis Cluster: the node that holds the keys is killed in the middle of a run, which ends exactly', async () => {
  const { servers, url } = await startRedisCluster();
  await probeRedis(url);
  await expect(probeRedis(url.replace('redis+cluster', 'redis').replace(/,.*/, ''))).rejects.toThrow(
    /node of a Redis Cluster.*redis\+cluster:/,
  );
  const wrong = url.replace(/:[^:@]+@/, ':wrong-wrong@');
  await expect(probeRedis(wrong)).rejects.toThrow(/None of the hosts.*WRONGPASS.*WRONGPASS.*WRONGPASS/s);
  // With no more rights than SECURITY.md says that it takes.
  const rules = [...(await aclRules('{test-*}', 'of-embedline')), ...(await documentedClusterRules())];
  const admins = servers.map(connectTo);
  for (const admin of admins) {
    await admin.call('ACL', 'LOG', 'RESET');
    await admin.call('ACL', 'SETUSER', ...rules);
  }
  const REDIS_URL = url.replace(/\/\/.*@/, '//embedline:of-embedline@');
  let killed = servers[0];
  const bench = await surviveFailover({ REDIS_URL }, async (prefix) => {
    const owner = (killed = await ownerIn(servers, prefix));
    await owner.kill();
    const others = servers.filter((server) => server !== owner);
    await until('a replica has taken over', async () => {
      const roles = await Promise.all(others.map(roleOf));
      return roles.filter((role) => role === 'master').length === 3;
    });
  });
  for (const server of servers.filter((each) => each !== killed))
    expect(await connectTo(server).call('ACL', 'LOG')).toEqual([]);
  const redis = connectRedis({ url, role: 'producer' });
  onTestFinished(() => redis.disconnect());
  const { prefix } = bench;
  const options = { redis, address: parseRedisUrl(url), access: NO_REDIS_ACCESS, prefix };
  expect(await examineTopology(options)).toMatchObject([
    { verdict: 'warning', found: expect.stringContaining('no replica follows it') as string },
  ]);
  await killed?.restart();
  await until('it follows its successor', async () => {
    const [topology] = await examineTopology(options);
    return /of 3 primaries .* and 3 replicas; \S+ holds the keys of embedline, followed by/.test(
      topology?.found ?? '',
    );
  });
  // The one node that matters is looked at, not any of them.
  expect(await checkRedis(redis, { prefix })).toEqual([]);
  const admin = connectTo(await ownerIn(servers, prefix));
  await admin.config('SET', 'appendonly', 'no');
  expect(await checkRedis(redis, { prefix })).toEqual([expect.stringContaining('no append-only file')]);
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const { code, json } = await runInProcess(bench, ['doctor', '--json']);
  expect(code).toBe(1);
  expect(json).toContainEqual(expect.objectContaining({ check: 'Redis topology' }));
  expect(json).toContainEqual(
    expect.objectContaining({ check: 'Redis eviction policy', verdict: 'problem' }),
  );
});
