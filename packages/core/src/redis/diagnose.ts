import { EmbedlineError, messageOf, type ErrorCode } from '../errors.ts';
import { certificateTrouble, clientCertificateTrouble } from '../tls.ts';
import { formatAddress, formatHostPort, type ServerAddress, type SocketAddress } from './address.ts';
import type { Peer } from './inspect-port.ts';

/** One Redis or Sentinel process, as a client reaches it. */
export type ProcessAddress = ServerAddress | SocketAddress;

/** What a process is expected to be; messages name the variables that belong to it. */
export type ProcessKind = 'Redis' | 'Sentinel';

interface Diagnosis {
  readonly found: string;
  readonly code?: ErrorCode;
  /** True when it may pass by itself. */
  readonly retryable?: boolean;
}

interface Circumstances {
  readonly address: ProcessAddress;
  readonly kind: ProcessKind;
  readonly where: string;
  readonly message: string;
}

type Rule = readonly [RegExp, (circumstances: Circumstances) => Diagnosis];

const ACL_REMEDY = 'Give it the rules of SECURITY.md (A user for Redis)';

/** What Redis itself answers, by the beginning of the answer. */
const REPLIES: readonly Rule[] = [
  [
    /NOAUTH/,
    ({ where, kind }) => ({
      found:
        `${where} refused the login (NOAUTH): it asks for a password. ` +
        (kind === 'Sentinel'
          ? 'Put it into REDIS_SENTINEL_PASSWORD; if that port belongs to a Redis, write redis:// instead.'
          : 'Put user:password@ before the host in REDIS_URL, or the password into a file that REDIS_PASSWORD_FILE names.'),
    }),
  ],
  [
    /WRONGPASS|invalid password|invalid username/i,
    ({ where, kind }) => ({
      found:
        `${where} refused the login (WRONGPASS): it has no such user, or the password is another one. ` +
        (kind === 'Sentinel'
          ? 'Put the right password into REDIS_SENTINEL_PASSWORD.'
          : 'Put the right user:password@ before the host in REDIS_URL.'),
    }),
  ],
  [
    /NOPERM/,
    ({ where, message }) => ({
      found: `${where} refused the login (NOPERM): its user may not do what embedline needs (${message}). ${ACL_REMEDY}.`,
    }),
  ],
  [
    /^DENIED/,
    ({ where }) => ({
      found: `${where} is in protected mode: without a password it talks to programs of its own machine only. Set a password there (requirepass, or an ACL user) and write it into REDIS_URL.`,
    }),
  ],
  [
    /max number of clients/i,
    ({ where }) => ({
      found: `${where} has as many connections as its maxclients allows. Raise that, or end some of its clients.`,
      retryable: true,
    }),
  ],
  [
    /DB index is out of range|invalid DB index/i,
    ({ where, address }) => ({
      code: 'REDIS_UNSUITABLE',
      found:
        `${where} has no database ${address.database}. A Redis has 16 databases, 0 to 15, unless its setting \`databases\` says otherwise: ` +
        `write the number of one that is there behind the host in REDIS_URL, or raise \`databases\` in redis.conf.`,
    }),
  ],
  [
    /\bLOADING /,
    ({ where }) => ({
      found: `${where} is still loading its data from disk (LOADING). Wait until it has, or look at its log.`,
      retryable: true,
    }),
  ],
  [
    /unknown command.*\binfo\b/i,
    ({ where }) => ({
      code: 'REDIS_UNSUITABLE',
      found: `${where} does not know the command INFO: it was renamed or taken away (rename-command). embedline and its queue cannot work without it. Remove that rename-command; to restrict users, use an ACL (SECURITY.md).`,
    }),
  ],
  [
    /unknown command.*\bselect\b/i,
    ({ where, address }) => ({
      code: 'REDIS_UNSUITABLE',
      found: `${where} does not know the command SELECT, which it takes to use database ${address.database}. Use database 0, or remove its rename-command.`,
    }),
  ],
  [
    /unknown command.*\bsentinel\b/i,
    ({ where }) => ({
      code: 'REDIS_UNSUITABLE',
      found: `${where} is a Redis, not a Sentinel. Name the ports of the Sentinels (26379 by default), or write redis:// to use this Redis directly.`,
    }),
  ],
];

/** Errors of the operating system, by their code. */
const SYSTEM: Record<string, (circumstances: Circumstances) => string> = {
  ENOTFOUND: ({ address }) =>
    `no such host is known to the name service. Check the host in REDIS_URL${address.kind === 'server' ? ` (${address.host})` : ''}`,
  ENOENT: () => 'there is no such socket. Check the path in REDIS_URL, and `unixsocket` in redis.conf',
  EACCES: () =>
    'this user may not use the socket. Let the group of this user have it (`unixsocketperm` in redis.conf)',
  ENOTSOCK: () => 'that file is not a socket. Check the path in REDIS_URL',
};

/** @param cause what the client threw @param peer what answers there; null when that is clear from the cause */
export function diagnose(
  cause: unknown,
  address: ProcessAddress,
  kind: ProcessKind,
  peer: Peer | null,
): EmbedlineError {
  const where = `${kind} at ${kind === 'Sentinel' && address.kind === 'server' ? formatHostPort(address) : formatAddress(address)}`;
  // Redis may refuse a connection before any command, and close it: the client hears of the end alone.
  const refused = peer?.kind === 'redis' && /^(DENIED|LOADING|ERR max)/.test(peer.said);
  const circumstances = { address, kind, where, message: refused ? peer.said : messageOf(cause) };
  const { found, code, retryable } =
    byReply(circumstances) ??
    byCertificate(peer?.kind === 'tls' ? (peer.error ?? cause) : cause, circumstances) ??
    byPeer(peer, circumstances) ??
    bySystem(cause, circumstances);
  return new EmbedlineError(code ?? 'REDIS_UNREACHABLE', found, { cause, retryable: retryable ?? false });
}

function byReply(circumstances: Circumstances): Diagnosis | null {
  const rule = REPLIES.find(([pattern]) => pattern.test(circumstances.message));
  return rule === undefined ? null : rule[1](circumstances);
}

function byCertificate(cause: unknown, { where }: Circumstances): Diagnosis | null {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  const trouble = certificateTrouble(code, 'REDIS_TLS_CA_FILE=/path/to/ca.pem');
  if (trouble !== null) return { found: `${where} cannot be trusted: ${trouble}` };
  const refusal = clientCertificateTrouble(code);
  if (refusal === null) return null;
  const remedy = 'Name the right one in REDIS_TLS_CERT_FILE and its key in REDIS_TLS_KEY_FILE';
  return { found: `${where} refused the connection: ${refusal}. ${remedy}.` };
}

function byPeer(peer: Peer | null, { address, where, kind }: Circumstances): Diagnosis | null {
  const place = formatAddress(address);
  switch (peer?.kind) {
    case undefined:
      return null;
    case 'tls':
      return address.tls
        ? { found: `${where} broke off the TLS handshake. Look at its log.` }
        : { found: `${where} speaks TLS on that port. Write rediss:// instead of redis:// in REDIS_URL.` };
    case 'redis':
      return address.tls
        ? {
            found: `${where} does not speak TLS on that port. Write redis:// instead of rediss:// in REDIS_URL, or name its TLS port.`,
          }
        : { found: `${where} closed the connection. Look at its log.`, retryable: true };
    case 'http':
      return {
        found: `What answers at ${place} is not a ${kind} but a web server (HTTP). Check host and port of REDIS_URL.`,
      };
    case 'other':
      return {
        found: `What answers at ${place} is not a ${kind}: it begins with "${peer.greeting}". Check host and port of REDIS_URL.`,
      };
    case 'slow':
      return {
        found: `${where} answers too slowly: no whole answer came within seconds. Check that it is a ${kind}, and the network to it.`,
        retryable: true,
      };
    case 'silent':
      return {
        found: `${where} accepts connections and answers nothing. Check that it is a ${kind} and not overloaded or stopped, and that no proxy stands before it.`,
        retryable: true,
      };
    case 'closed':
      return {
        found: `${where} closes each connection without a word. Check that it is a ${kind}, and look at its log.`,
        retryable: true,
      };
  }
}

function bySystem(cause: unknown, circumstances: Circumstances): Diagnosis {
  const { where, message, kind } = circumstances;
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  const known = code === undefined ? undefined : SYSTEM[code];
  if (known !== undefined)
    return { found: `${where} cannot be reached (${code ?? ''}): ${known(circumstances)}.`, retryable: true };
  const remedy =
    kind === 'Redis'
      ? 'Start it, or correct REDIS_URL, or unset it to let embedline start a private one.'
      : 'Start it, or correct REDIS_URL.';
  return { found: `${where} cannot be reached (${code ?? message}). ${remedy}`, retryable: true };
}
