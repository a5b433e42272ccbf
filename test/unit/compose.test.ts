import { readFile } from 'node:fs/promises';
import { environmentVariables, loadConfig } from '@embedline/core';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { documentedAclRules } from '../support/redis-acl.ts';

const serviceSchema = z.looseObject({
  image: z.string(),
  environment: z.record(z.string(), z.string().nullable()).optional(),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
  ports: z.array(z.string()).optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  stop_grace_period: z.string().optional(),
});
const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8');
const compose = z
  .looseObject({
    services: z.record(z.string(), serviceSchema),
    configs: z.record(z.string(), z.object({ content: z.string() })),
  })
  .parse(parse(await read('docker-compose.yml'), { merge: true }));

test('the services of a whole pipeline are there, and none is published', () => {
  expect(Object.keys(compose.services).sort()).toEqual(['producer', 'qdrant', 'redis', 'worker']);
  for (const service of Object.values(compose.services)) expect(service.ports).toBeUndefined();
});

test('every service runs without rights that it does not need, and asks for a secret', async () => {
  for (const service of Object.values(compose.services))
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
  expect(compose.services['redis']?.['user']).toBe('redis');
  expect(compose.services['qdrant']?.image).toMatch(/-unprivileged$/);
  expect(compose.services['qdrant']?.environment?.['QDRANT__SERVICE__API_KEY']).toContain('QDRANT_API_KEY');
  for (const name of ['worker', 'producer']) {
    expect(compose.services[name]?.environment).toMatchObject({
      REDIS_URL: expect.stringMatching(/embedline:\$\{REDIS_PASSWORD:\?/),
      QDRANT_API_KEY: expect.stringContaining('${QDRANT_API_KEY:?'),
    });
  }
});

test('the users of Redis are the one of SECURITY.md, and nobody else', async () => {
  const lines = compose.configs['redis-users']?.content.trim().split('\n');
  expect(lines).toEqual([
    'user default off',
    `user embedline on >\${REDIS_PASSWORD:-} ${await documentedAclRules()}`,
  ]);
});

test('the programs get only environment variables that the code reads', () => {
  for (const name of ['worker', 'producer']) {
    const variables = Object.keys(compose.services[name]?.environment ?? {});
    expect(variables).toContain('REDIS_URL');
    expect(variables.filter((variable) => !(variable in environmentVariables))).toEqual([]);
  }
});

test('the programs get every variable of Redis that the code reads, unchanged, and time to stop', () => {
  const ofRedis = Object.keys(environmentVariables).filter((name) => name.startsWith('REDIS_'));
  expect(ofRedis.length).toBeGreaterThan(6);
  for (const name of ['worker', 'producer']) {
    const { environment = {}, stop_grace_period: grace = '' } = serviceSchema.parse(compose.services[name]);
    const passedOn = [...ofRedis, 'QDRANT_URL', 'EMBEDLINE_PREFIX'];
    // A value in .env goes first; what is empty counts as not set.
    for (const variable of passedOn)
      expect(environment[variable]).toMatch(new RegExp(`^\\$\\{${variable}:-.*\\}$`));
    const unset = Object.fromEntries(passedOn.map((variable) => [variable, '']));
    expect(loadConfig({ ...unset, EMBEDLINE_HOME: '/data' })).toMatchObject({
      redisUrl: null,
      qdrantUrl: null,
    });
    expect(Number.parseInt(grace, 10)).toBeGreaterThan(20);
  }
});

test('Redis is set up as checkRedis demands, and images are pinned', () => {
  const command = z.array(z.string()).parse(compose.services['redis']?.['command']).join(' ');
  expect(command).toContain('--appendonly yes');
  expect(command).toContain('--maxmemory-policy noeviction');
  for (const name of ['redis', 'qdrant']) {
    expect(compose.services[name]?.image).toMatch(/:v?\d+\.\d+/);
    expect(compose.services[name]?.healthcheck?.test[0]).toBe('CMD');
  }
});

test('the image sets only variables that the code or its tools read, and runs as nobody special', async () => {
  const dockerfile = await read('Dockerfile');
  const ours = [...dockerfile.matchAll(/\b(EMBEDLINE_\w+)=/g)].map(([, name]) => name ?? '');
  expect(ours.filter((name) => !(name in environmentVariables))).toEqual([]);
  expect(dockerfile).toMatch(/^USER embedline$/m);
  expect(dockerfile).toContain('COPY models models');
});
