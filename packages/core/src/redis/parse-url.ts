import { isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { EmbedlineError } from '../errors.ts';
import { formatHostPort, type HostPort, type RedisAddress } from './address.ts';
import { decode, EXPECTED_SCHEMES, quotedName, splitUrl, UrlProblem, type UrlParts } from './url-parts.ts';

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;
/** What the socket address of Linux has room for, without the byte that ends it. */
const MAX_SOCKET_PATH_BYTES = 107;
const MAX_DATABASE = 2 ** 31 - 1;

/**
 * Reads REDIS_URL. Everything that it means is in the result: no client ever interprets the URL itself.
 *
 * - `redis://user:password@host:6379/2`; `rediss://` for TLS
 * - `redis+cluster://user:password@a:7000,b:7001`; `rediss+cluster://`
 * - `redis+sentinel://user:password@a:26379,b:26379/primary-name/2`; `rediss+sentinel://`
 * - `unix:///run/redis.sock?db=2`
 *
 * @throws EmbedlineError CONFIG_INVALID that says what is wrong, never the URL
 */
export function parseRedisUrl(url: string): RedisAddress {
  try {
    return parse(splitUrl(url));
  } catch (error) {
    if (!(error instanceof UrlProblem)) throw error;
    throw new EmbedlineError('CONFIG_INVALID', `REDIS_URL is not usable: ${error.message}.`);
  }
}

/** What is wrong with a REDIS_URL, as the end of a sentence; null when nothing is. */
export function redisUrlProblem(url: string): string | null {
  try {
    parse(splitUrl(url));
    return null;
  } catch (error) {
    if (error instanceof UrlProblem) return error.message;
    throw error;
  }
}

function parse(parts: UrlParts): RedisAddress {
  const { scheme } = parts;
  const tls = scheme.startsWith('rediss');
  switch (scheme) {
    case 'redis':
    case 'rediss':
      return parseServer(parts, tls);
    case 'redis+cluster':
    case 'rediss+cluster':
      return parseCluster(parts, tls);
    case 'redis+sentinel':
    case 'rediss+sentinel':
      return parseSentinel(parts, tls);
    case 'unix':
      return parseSocket(parts);
    default:
      throw new UrlProblem(EXPECTED_SCHEMES);
  }
}

function parseServer(parts: UrlParts, tls: boolean): RedisAddress {
  const [first, ...others] = parseHosts(parts.hosts, REDIS_PORT);
  if (first === undefined || others.length > 0) {
    throw new UrlProblem(
      `it names several hosts. Write redis+cluster:// for a cluster, or redis+sentinel:// for Sentinels`,
    );
  }
  const database = parseDatabase(parts.path.replace(/\/$/, ''), parts.query);
  return { kind: 'server', ...first, database, login: parts.login, tls };
}

function parseCluster(parts: UrlParts, tls: boolean): RedisAddress {
  const nodes = parseHosts(parts.hosts, REDIS_PORT);
  if (parseDatabase(parts.path.replace(/\/$/, ''), parts.query) !== 0)
    throw new UrlProblem('a Redis Cluster has database 0 only. Remove the number behind the hosts');
  return { kind: 'cluster', nodes, database: 0, login: parts.login, tls };
}

function parseSentinel(parts: UrlParts, tls: boolean): RedisAddress {
  const sentinels = parseHosts(parts.hosts, SENTINEL_PORT);
  const [name = '', ...database] = parts.path.replace(/\/$/, '').split('/');
  const primaryName = decode(name, 'name of the primary');
  if (!/^[\w.-]+$/.test(primaryName)) {
    throw new UrlProblem(
      'the name under which the Sentinels watch the primary must follow the hosts, as in redis+sentinel://a:26379,b:26379/mymaster',
    );
  }
  return {
    kind: 'sentinel',
    sentinels,
    primaryName,
    database: parseDatabase(database.join('/'), parts.query),
    login: parts.login,
    tls,
  };
}

function parseSocket(parts: UrlParts): RedisAddress {
  if (parts.hosts !== '')
    throw new UrlProblem('the path of a socket begins with a third slash, as in unix:///run/redis.sock');
  const path = `/${decode(parts.path, 'path of the socket')}`;
  if (path.endsWith('/')) throw new UrlProblem('it names no socket, as in unix:///run/redis.sock');
  if (path.includes('\0')) throw new UrlProblem('the path of the socket holds the character U+0000');
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    throw new UrlProblem(`the path of the socket is longer than ${MAX_SOCKET_PATH_BYTES} bytes`);
  return {
    kind: 'socket',
    path,
    database: parseDatabase('', parts.query),
    login: parts.login,
    tls: false,
  };
}

function parseHosts(text: string, defaultPort: number): HostPort[] {
  const hosts = text.split(',').map((each) => parseHost(each, defaultPort));
  const seen = new Set<string>();
  for (const host of hosts.map(formatHostPort)) {
    if (seen.has(host)) throw new UrlProblem(`it names the host ${host} twice`);
    seen.add(host);
  }
  return hosts;
}

function parseHost(text: string, defaultPort: number): HostPort {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (bracketed !== null) {
    const address = decode(bracketed[1] ?? '', 'IPv6 address').toLowerCase();
    if (!isIPv6(address)) throw new UrlProblem('what stands in brackets is not an IPv6 address');
    return { host: shortest(address), port: parsePort(bracketed[2], defaultPort) };
  }
  if (isIPv6(text) || text.split(':').length > 2) {
    throw new UrlProblem(
      'a host holds several ":". Write an IPv6 address in brackets, as in [::1]:6379; if that is a password, "@" and the host must follow it',
    );
  }
  const [name = '', port] = text.split(/:(.*)/s);
  if (name === '') throw new UrlProblem('a host is missing. Write redis://host:6379');
  const host = domainToASCII(name);
  if (!/^[a-z0-9_.-]+$/.test(host)) throw new UrlProblem('a host name holds a character that none can have');
  return { host, port: parsePort(port, defaultPort) };
}

/** One way to write each IPv6 address, but for those with a zone, which URLs of the web do not know. */
function shortest(address: string): string {
  return address.includes('%') ? address : new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function parsePort(text: string | undefined, defaultPort: number): number {
  if (text === undefined) return defaultPort;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new UrlProblem(
    'the port is not a number from 1 to 65535. If what stands there is a password, "@" and the host must follow it',
  );
}

/** From the path (`/2`) or from `?db=2`. */
function parseDatabase(path: string, query: ReadonlyMap<string, string>): number {
  for (const name of query.keys()) {
    if (name !== 'db')
      throw new UrlProblem(`the parameter ${quotedName(name)} is not known. The only one is "db"`);
  }
  const parameter = query.get('db');
  if (path !== '' && parameter !== undefined)
    throw new UrlProblem('it names a database twice, behind the host and as "db"');
  const text = parameter ?? (path === '' ? '0' : path);
  if (/^(0|[1-9]\d{0,9})$/.test(text) && Number(text) <= MAX_DATABASE) return Number(text);
  throw new UrlProblem(
    'what stands behind the host is not the number of a database. Write redis://host:6379/2 for database 2, or nothing for database 0',
  );
}
