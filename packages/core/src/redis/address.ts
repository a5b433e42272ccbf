/** A host name or an IP address (IPv6 without brackets), and a TCP port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Who logs in to Redis. A null user is Redis' own `default`. */
export interface RedisLogin {
  readonly username: string | null;
  readonly password: string | null;
}

/** One server on a TCP port. */
export interface ServerAddress extends HostPort {
  readonly kind: 'server';
  readonly database: number;
  readonly login: RedisLogin;
  readonly tls: boolean;
}

/** One server of this machine, by its Unix socket. */
export interface SocketAddress {
  readonly kind: 'socket';
  readonly path: string;
  readonly database: number;
  readonly login: RedisLogin;
  readonly tls: false;
}

/** A Redis Cluster, by some of its nodes: the others are learned from them. It has one database. */
export interface ClusterAddress {
  readonly kind: 'cluster';
  readonly nodes: readonly HostPort[];
  readonly database: 0;
  readonly login: RedisLogin;
  readonly tls: boolean;
}

/** The server that Sentinels name as the primary. */
export interface SentinelAddress {
  readonly kind: 'sentinel';
  readonly sentinels: readonly HostPort[];
  /** The name under which the Sentinels watch the primary. */
  readonly primaryName: string;
  readonly database: number;
  /** For the servers; the Sentinels have a password of their own. */
  readonly login: RedisLogin;
  readonly tls: boolean;
}

/** Where REDIS_URL points to. */
export type RedisAddress = ServerAddress | SocketAddress | ClusterAddress | SentinelAddress;

/** `host:port`, with brackets around an IPv6 address. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An address as a URL without user and password, for messages. */
export function formatAddress(address: RedisAddress): string {
  const { kind, database } = address;
  const scheme = (name: string) => `redis${address.tls ? 's' : ''}${name}://`;
  const suffix = database === 0 ? '' : `/${database}`;
  if (kind === 'socket') return `unix://${address.path}${database === 0 ? '' : `?db=${database}`}`;
  if (kind === 'cluster') return `${scheme('+cluster')}${address.nodes.map(formatHostPort).join(',')}`;
  if (kind === 'sentinel') {
    const hosts = address.sentinels.map(formatHostPort).join(',');
    return `${scheme('+sentinel')}${hosts}/${address.primaryName}${suffix}`;
  }
  return `${scheme('')}${formatHostPort(address)}${suffix}`;
}

/** The hosts that an address names; none for a socket of this machine. */
export function hostsOf(address: RedisAddress): readonly string[] {
  if (address.kind === 'socket') return [];
  if (address.kind === 'server') return [address.host];
  const all = address.kind === 'cluster' ? address.nodes : address.sentinels;
  return all.map(({ host }) => host);
}
