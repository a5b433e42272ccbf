import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { EmbedlineError, messageOf } from '../errors.ts';
import { rememberSecrets } from '../redact.ts';
import type { RedisAddress, RedisLogin } from './address.ts';

/** PEM texts. */
export interface RedisCertificates {
  /** Authorities that are trusted instead of those that Node knows; null for Node's. */
  readonly authority: string | null;
  /** What this client shows to the server. */
  readonly client: { readonly certificate: string; readonly key: string } | null;
}

/** What it takes to be let in that does not stand in REDIS_URL. */
export interface RedisAccess {
  readonly password: string | null;
  readonly sentinelPassword: string | null;
  readonly certificates: RedisCertificates;
}

export const NO_REDIS_ACCESS: RedisAccess = Object.freeze({
  password: null,
  sentinelPassword: null,
  certificates: Object.freeze({ authority: null, client: null }),
});

/** The variables that say so. */
const VARIABLES = [
  'REDIS_PASSWORD_FILE',
  'REDIS_SENTINEL_PASSWORD',
  'REDIS_SENTINEL_PASSWORD_FILE',
  'REDIS_TLS_CA_FILE',
  'REDIS_TLS_CERT_FILE',
  'REDIS_TLS_KEY_FILE',
] as const;
type Variable = (typeof VARIABLES)[number];

/** Those of an environment, which may hold any others. */
export type RedisAccessVariables = { readonly [name in Variable]?: string | undefined };

const MAX_PASSWORD_BYTES = 4096;
const MAX_PEM_BYTES = 1024 * 1024;

/**
 * Reads the files that the variables name, and checks that they fit each other and the address.
 * @param address of REDIS_URL; null when it is not set, or not usable for a reason that is told already
 * @returns the access, or what is wrong by variable, never with a secret
 */
export function readRedisAccess(
  given: RedisAccessVariables,
  address: RedisAddress | 'none' | 'unusable',
): { readonly access: RedisAccess; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const problem = (name: string, text: string) => void problems.push(`${name}: ${text}`);
  if (address !== 'unusable') {
    for (const [name, text] of misplaced(given, address)) problem(name, text);
  }
  const read = <T>(name: Variable, parse: (text: string) => T): T | null => {
    const path = given[name];
    if (path === undefined) return null;
    try {
      return parse(readText(path, name.includes('TLS') ? MAX_PEM_BYTES : MAX_PASSWORD_BYTES));
    } catch (error) {
      problem(name, reasonOf(error, path));
      return null;
    }
  };
  const password = read('REDIS_PASSWORD_FILE', parsePassword);
  const sentinelPassword =
    given.REDIS_SENTINEL_PASSWORD ?? read('REDIS_SENTINEL_PASSWORD_FILE', parsePassword);
  rememberSecrets([password, sentinelPassword]);
  const authority = read('REDIS_TLS_CA_FILE', (text) => checkedPem(text, { ca: text }));
  const certificate = read('REDIS_TLS_CERT_FILE', (text) => checkedPem(text, { cert: text }));
  const key = read('REDIS_TLS_KEY_FILE', (text) => checkedPem(text, { key: text }));
  const client = certificate === null || key === null ? null : { certificate, key };
  if (client !== null && !fits(client.certificate, client.key))
    problem('REDIS_TLS_KEY_FILE', 'this key is not the one of the certificate in REDIS_TLS_CERT_FILE');
  return { access: { password, sentinelPassword, certificates: { authority, client } }, problems };
}

/**
 * The address with the password that stands in a file.
 * @throws EmbedlineError CONFIG_INVALID for a user name without a password
 */
export function loginOf({ login }: RedisAddress, access: RedisAccess): RedisLogin {
  const password = login.password ?? access.password;
  if (login.username !== null && password === null)
    throw new EmbedlineError('CONFIG_INVALID', `REDIS_URL is not usable: ${USER_WITHOUT_PASSWORD}.`);
  return { username: login.username, password };
}

const USER_WITHOUT_PASSWORD =
  'it names a user and no password. Write user:password@ before the host, or name a file with the password in REDIS_PASSWORD_FILE ' +
  '(for a user without a password, any password will do)';

/** Variables that cannot mean anything, or that say what REDIS_URL says too. */
function misplaced(
  given: RedisAccessVariables,
  address: RedisAddress | 'none',
): readonly (readonly [string, string])[] {
  const found: [string, string][] = [];
  const names = VARIABLES.filter((name) => given[name] !== undefined);
  if (address === 'none') return names.map((name) => [name, 'has no meaning without REDIS_URL']);
  const { login, kind, tls } = address;
  if (given.REDIS_PASSWORD_FILE !== undefined && login.password !== null)
    found.push(['REDIS_PASSWORD_FILE', 'a password stands in REDIS_URL too. Remove one of them']);
  if (given.REDIS_PASSWORD_FILE === undefined && login.username !== null && login.password === null)
    found.push(['REDIS_URL', USER_WITHOUT_PASSWORD]);
  if (given.REDIS_SENTINEL_PASSWORD !== undefined && given.REDIS_SENTINEL_PASSWORD_FILE !== undefined)
    found.push(['REDIS_SENTINEL_PASSWORD_FILE', 'REDIS_SENTINEL_PASSWORD is set too. Remove one of them']);
  for (const name of names) {
    if (name.includes('SENTINEL') && kind !== 'sentinel')
      found.push([name, 'REDIS_URL names no Sentinels. They are named with redis+sentinel://']);
    if (name.includes('TLS') && !tls)
      found.push([name, 'REDIS_URL does not ask for TLS. Write it with rediss://, or remove this variable']);
  }
  if ((given.REDIS_TLS_CERT_FILE === undefined) !== (given.REDIS_TLS_KEY_FILE === undefined)) {
    const [one, other] =
      given.REDIS_TLS_CERT_FILE === undefined
        ? (['REDIS_TLS_KEY_FILE', 'REDIS_TLS_CERT_FILE'] as const)
        : (['REDIS_TLS_CERT_FILE', 'REDIS_TLS_KEY_FILE'] as const);
    found.push([one, `a client certificate takes both a certificate and its key. Set ${other} too`]);
  }
  return found;
}

function readText(path: string, maxBytes: number): string {
  const bytes = readFileSync(path);
  if (bytes.length > maxBytes)
    throw new Error(`the file ${path} is larger than ${maxBytes} bytes. Is it the right one?`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`the file ${path} is not UTF-8 text. Is it the right one?`);
  }
}

/** The line break at the end is the editor's, not the password's. */
function parsePassword(text: string): string {
  const password = text.replace(/\r?\n$/, '');
  if (password === '') throw new Error('the file is empty');
  if (/[\r\n\0]/.test(password))
    throw new Error('the file holds more than one line. It must hold the password alone');
  return password;
}

function checkedPem(text: string, material: { ca?: string; cert?: string; key?: string }): string {
  const expected = material.key === undefined ? 'CERTIFICATE' : 'PRIVATE KEY';
  if (!new RegExp(`-----BEGIN [A-Z ]*${expected}-----`).test(text))
    throw new Error(`the file holds no PEM text with -----BEGIN ${expected}-----`);
  if (/ENCRYPTED/.test(text))
    throw new Error('the key is protected by a passphrase. Name a file with a key that is not');
  createSecureContext(material);
  return text;
}

function fits(cert: string, key: string): boolean {
  try {
    createSecureContext({ cert, key });
    return true;
  } catch {
    return false;
  }
}

function reasonOf(error: unknown, path: string): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENOENT: 'does not exist',
    EACCES: 'must not be read by this user',
    EISDIR: 'is a folder',
  };
  const known = reasons[code];
  return known === undefined ? messageOf(error) : `the file ${path} ${known} (${code})`;
}
