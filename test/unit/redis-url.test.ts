import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbedlineError, formatAddress, loadConfig, parseRedisUrl, redactSecrets } from '@embedline/core';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary.ts';
import { makeCertificates } from '../support/tls.ts';

const noLogin = { username: null, password: null };

describe('a REDIS_URL means', () => {
  test.each([
    ['redis://localhost', 'redis://localhost:6379', { host: 'localhost', port: 6379, tls: false }],
    ['REDIS://Example.COM:1234/', 'redis://example.com:1234', { host: 'example.com', port: 1234 }],
    ['Rediss://h/2/', 'rediss://h:6379/2', { tls: true, database: 2 }],
    ['redis://h?db=15', 'redis://h:6379/15', { database: 15 }],
    ['redis://[::1]', 'redis://[::1]:6379', { host: '::1', port: 6379 }],
    ['redis://[0:0:0:0:0:0:0:1]:7/0', 'redis://[::1]:7', { host: '::1', port: 7 }],
    ['redis://[fe80::1%25eth0]:7', 'redis://[fe80::1%eth0]:7', { host: 'fe80::1%eth0' }],
    ['redis://my_redis.svc-1', 'redis://my_redis.svc-1:6379', { host: 'my_redis.svc-1' }],
    ['unix:///run/redis.sock', 'unix:///run/redis.sock', { path: '/run/redis.sock', database: 0 }],
    [
      'unix:///run/a@b%20c.sock?db=2',
      'unix:///run/a@b c.sock?db=2',
      { path: '/run/a@b c.sock', database: 2 },
    ],
    [
      'redis+cluster://a:7000,B,[::1]:7002',
      'redis+cluster://a:7000,b:6379,[::1]:7002',
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 6379 },
          { host: '::1', port: 7002 },
        ],
      },
    ],
    ['rediss+cluster://a/0/', 'rediss+cluster://a:6379', { kind: 'cluster', tls: true }],
    [
      'redis+sentinel://a,b:1/my-master.1/3/',
      'redis+sentinel://a:26379,b:1/my-master.1/3',
      { kind: 'sentinel', primaryName: 'my-master.1', database: 3 },
    ],
  ])('%s', (url, shown, parts) => {
    const address = parseRedisUrl(url);
    expect(address).toMatchObject({ ...parts, login: noLogin });
    expect(formatAddress(address)).toBe(shown);
  });

  test.each([
    ['redis://:secret@h', null, 'secret'],
    ['redis://user:se:cr:et@h', 'user', 'se:cr:et'],
    ['redis://user:a%40b%2Fc%25d%23e%3Ff@h', 'user', 'a@b/c%d#e?f'],
    ['redis://us%3Aer:p%C3%A4ss@h', 'us:er', 'päss'],
    ['redis://user:!$&\'()*+,;=^|[]{}<>"` \\ü@h', 'user', '!$&\'()*+,;=^|[]{}<>"` \\ü'],
    ['redis+cluster://u:p,w@a,b', 'u', 'p,w'],
    ['redis+sentinel://u:pw@a,b/m', 'u', 'pw'],
    ['unix://u:pw@/run/redis.sock', 'u', 'pw'],
  ])('%s logs in as %s with %s', (url, username, password) => {
    expect(parseRedisUrl(url).login).toEqual({ username, password });
    expect(formatAddress(parseRedisUrl(url))).not.toContain('@');
  });
});

const SECRET = 'hunter2-hunter2';

describe('a REDIS_URL is refused by what is wrong with it, without the secret in it', () => {
  test.each([
    [`redis://u:${SECRET}%@h`, /password holds a "%".*%25/],
    [`redis://u:${SECRET}%zz@h`, /password holds a "%".*%25/],
    [`redis://u:${SECRET}%ff@h`, /not UTF-8/],
    [`redis://u%:${SECRET}@h`, /user name holds a "%"/],
    [`redis://u:${SECRET}/x@h`, /"\/" stands.*%2F/],
    [`redis://u:${SECRET}#x@h`, /"#" stands.*%23/],
    [`redis://u:${SECRET}?x@h`, /"\?" stands.*%3F/],
    [`redis://u:${SECRET}@x@h`, /"@" occurs more than once.*%40/],
    [`redis+cluster://u:${SECRET}@a,u:${SECRET}@b`, /write user and password once, before the first host/],
    [`redis://u:${SECRET}\n@h`, /control character U\+000A.*%0A/],
    [`redis://:${SECRET}`, /a host is missing/],
    [`redis://u:${SECRET}`, /port is not a number.*If what stands there is a password/],
    [` redis://u:${SECRET}@h`, /expected a URL that starts with/],
    [`redis://u:${SECRET}@h `, /white space/],
    ['redis://u:@h', /password before "@" is empty/],
    ['redis://@h', /neither user nor password/],
    ['redis://', /a host is missing/],
    ['redis:///2', /a host is missing/],
    ['redis://:6379', /a host is missing/],
    ['redis://h:', /port is not a number/],
    ['redis://h:0', /port is not a number from 1 to 65535/],
    ['redis://h:65536', /port is not a number/],
    ['redis://h:+1', /port is not a number/],
    ['redis://::1:6379', /IPv6 address in brackets/],
    ['redis://[::1', /host/],
    ['redis://[h]:1', /not an IPv6 address/],
    ['redis://ho st', /host name holds a character/],
    ['redis://a,b', /several hosts.*redis\+cluster/],
    ['redis://h/myapp', /not the number of a database.*redis:\/\/host:6379\/2/],
    ['redis://h/-1', /not the number of a database/],
    ['redis://h/1.5', /not the number of a database/],
    ['redis://h/01', /not the number of a database/],
    ['redis://h/1/2', /not the number of a database/],
    ['redis://h/99999999999', /not the number of a database/],
    ['redis://h/1?db=2', /a database twice/],
    ['redis://h?db=1&db=2', /"db" occurs twice/],
    ['redis://h?family=6', /parameter "family" is not known/],
    ['redis://h?tls=true&db=1', /parameter "tls" is not known/],
    ['redis://h#x', /"#" stands/],
    ['redis+cluster://a,,b', /a host is missing/],
    ['redis+cluster://a,', /a host is missing/],
    ['redis+cluster://a:1,A:1', /host a:1 twice/],
    ['redis+cluster://a,a:6379', /host a:6379 twice/],
    ['redis+cluster://a/2', /has database 0 only/],
    ['redis+sentinel://a,b', /name under which the Sentinels watch/],
    ['redis+sentinel://a/m/x', /not the number of a database/],
    ['unix://run/redis.sock', /third slash/],
    ['unix:///', /names no socket/],
    [`unix:///${'x'.repeat(120)}`, /longer than 107 bytes/],
    ['localhost:6379', /expected a URL that starts with redis:/],
    ['http://h', /expected a URL that starts with redis:\/\//],
    ['redis-sentinel://h', /expected a URL that starts with redis:\/\//],
  ])('%j', (url, told) => {
    const load = () => loadConfig({ REDIS_URL: url });
    expect(load).toThrow(told);
    expect(load).toThrow(/REDIS_URL: /);
    expect(load).not.toThrow(new RegExp(SECRET));
    expect(redactSecrets(`x ${url} x`)).not.toContain(SECRET);
  });
});

async function file(text: string): Promise<string> {
  const path = join(await temporaryDirectory(), 'secret');
  await writeFile(path, text);
  return path;
}

function problemOf(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(EmbedlineError);
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}

describe('REDIS_PASSWORD_FILE', () => {
  test.each(['pass word', 'pass word\n', 'pass word\r\n'])(
    '%j: the line break is not the password’s',
    async (text) => {
      const { redisAccess } = loadConfig({ REDIS_URL: 'redis://u@h', REDIS_PASSWORD_FILE: await file(text) });
      expect(redisAccess.password).toBe('pass word');
      expect(redactSecrets('it says pass word here')).not.toContain('pass word');
    },
  );

  test('is refused when it says nothing, too much, or what REDIS_URL says too', async () => {
    const refused = async (text: string, REDIS_URL = 'redis://h') =>
      problemOf({ REDIS_URL, REDIS_PASSWORD_FILE: await file(text) });
    expect(await refused('\n')).toMatch(/REDIS_PASSWORD_FILE: the file is empty/);
    expect(await refused(`${SECRET}\nmore`)).toMatch(/more than one line/);
    expect(await refused('x'.repeat(5000))).toMatch(/larger than 4096 bytes/);
    expect(await refused(SECRET, `redis://u:${SECRET}@h`)).toMatch(/a password stands in REDIS_URL too/);
    expect(await refused(`${SECRET}\nmore`)).not.toContain(SECRET);
    expect(problemOf({ REDIS_PASSWORD_FILE: await file(SECRET) })).toMatch(/no meaning without REDIS_URL/);
    expect(loadConfig({ OTHER_TLS_FILE: 'x', SENTINEL: 'x' }).redisAccess.password).toBeNull();
    const directory = await temporaryDirectory();
    const named = (path: string) => problemOf({ REDIS_URL: 'redis://h', REDIS_PASSWORD_FILE: path });
    expect(named(directory)).toMatch(/is a folder/);
    expect(named(join(directory, 'none'))).toMatch(/none does not exist \(ENOENT\)/);
    expect(problemOf({ REDIS_URL: 'redis://u@h' })).toMatch(
      /names a user and no password.*REDIS_PASSWORD_FILE/,
    );
  });

  test('has the like for Sentinels, which is refused without them', async () => {
    const REDIS_URL = 'redis+sentinel://a/m';
    const path = await file('for-sentinels\n');
    const access = (env: Record<string, string>) => loadConfig({ REDIS_URL, ...env }).redisAccess;
    expect(access({ REDIS_SENTINEL_PASSWORD_FILE: path }).sentinelPassword).toBe('for-sentinels');
    expect(access({ REDIS_SENTINEL_PASSWORD: 'x' }).sentinelPassword).toBe('x');
    expect(problemOf({ REDIS_URL: 'redis://h', REDIS_SENTINEL_PASSWORD: 'x' })).toMatch(/names no Sentinels/);
    expect(
      problemOf({ REDIS_URL, REDIS_SENTINEL_PASSWORD: 'x', REDIS_SENTINEL_PASSWORD_FILE: path }),
    ).toMatch(/is set too/);
  });
});

test('REDIS_TLS_*: files that are no PEM, do not fit each other, or have no TLS to go with, are refused', async () => {
  const [ours, others] = [
    await makeCertificates(await temporaryDirectory()),
    await makeCertificates(await temporaryDirectory()),
  ];
  const env = {
    REDIS_URL: 'rediss://h',
    REDIS_TLS_CERT_FILE: ours.certificate,
    REDIS_TLS_KEY_FILE: ours.key,
  };
  const { certificates } = loadConfig({ ...env, REDIS_TLS_CA_FILE: ours.authority }).redisAccess;
  expect(certificates.authority).toContain('BEGIN CERTIFICATE');
  expect(certificates.client?.key).toContain('PRIVATE KEY');
  expect(problemOf({ ...env, REDIS_URL: 'redis://h' })).toMatch(
    /CERT_FILE: REDIS_URL does not ask for TLS.*KEY_FILE/,
  );
  expect(problemOf({ ...env, REDIS_TLS_KEY_FILE: '' })).toMatch(/Set REDIS_TLS_KEY_FILE too/);
  expect(problemOf({ ...env, REDIS_TLS_KEY_FILE: others.key })).toMatch(/not the one of the certificate/);
  expect(problemOf({ ...env, REDIS_TLS_KEY_FILE: ours.certificate })).toMatch(/no PEM text.*PRIVATE KEY/);
  expect(problemOf({ ...env, REDIS_TLS_CA_FILE: await file('x') })).toMatch(
    /CA_FILE: .*no PEM text.*CERTIFICATE/,
  );
});

test.each(['{}{a}', 'a{}b', 'plain'])(
  'a prefix that gives each key a slot of its own is refused: %s',
  (prefix) => {
    expect(problemOf({ EMBEDLINE_PREFIX: prefix })).toMatch(
      /EMBEDLINE_PREFIX: expected a prefix with a hash tag/,
    );
  },
);
