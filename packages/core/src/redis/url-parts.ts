import type { RedisLogin } from './address.ts';

/** What keeps a URL from being used, as the end of a sentence: it holds nothing of the URL that may be a secret. */
export class UrlProblem extends Error {}

export const EXPECTED_SCHEMES =
  'expected a URL that starts with redis://, rediss:// (TLS), redis+cluster://, rediss+cluster://, redis+sentinel://, ' +
  'rediss+sentinel:// or unix://';

/** A URL taken apart, nothing of it decoded but user and password. */
export interface UrlParts {
  /** In lower case, without `://`. */
  readonly scheme: string;
  readonly login: RedisLogin;
  /** Between user and password, and the path. */
  readonly hosts: string;
  /** Without its first slash; '' for none. */
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
}

/**
 * Takes a URL apart by its delimiters alone. `new URL` would silently drop or encode characters, and cannot read several
 * hosts.
 * @throws UrlProblem
 */
export function splitUrl(url: string): UrlParts {
  const start = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url);
  if (start === null) throw new UrlProblem(EXPECTED_SCHEMES);
  assertPrintable(url);
  const scheme = (start[1] ?? '').toLowerCase();
  const rest = url.slice(start[0].length);
  const authorityEnd = rest.search(/[/?#]/);
  const authority = authorityEnd === -1 ? rest : rest.slice(0, authorityEnd);
  const after = authorityEnd === -1 ? '' : rest.slice(authorityEnd);
  // A delimiter in front of the @ would end the password early, and send what is before it to a wrong host.
  const isSocketPath = scheme === 'unix' && authority === '';
  if (after.includes('@') && !isSocketPath) throw new UrlProblem(mustBeEscaped(after.charAt(0)));
  if (after.includes('#')) throw new UrlProblem(mustBeEscaped('#'));
  const at = authority.indexOf('@');
  if (at !== authority.lastIndexOf('@')) {
    throw new UrlProblem(
      `"@" occurs more than once. Write it as ${escaped('@')} in a password, and write user and password once, before the first host`,
    );
  }
  const [path = '', query = ''] = after.split(/\?(.*)/s);
  return {
    scheme,
    login: at === -1 ? { username: null, password: null } : parseLogin(authority.slice(0, at)),
    hosts: authority.slice(at + 1),
    path: path.replace(/^\//, ''),
    query: parseQuery(query),
  };
}

/** @throws UrlProblem for a `%` that begins no escape, or one that is not UTF-8 */
export function decode(text: string, what: string): string {
  if (/%(?![0-9a-f]{2})/i.test(text)) {
    throw new UrlProblem(
      `the ${what} holds a "%" that two hexadecimal digits do not follow. Write it as ${escaped('%')}`,
    );
  }
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UrlProblem(
      `the ${what} holds %-escapes that are not UTF-8. Write a "%" of its own as ${escaped('%')}`,
    );
  }
}

function parseLogin(text: string): RedisLogin {
  const [user = '', password] = text.split(/:(.*)/s);
  if (password === '') throw new UrlProblem('the password before "@" is empty');
  if (text === '') throw new UrlProblem('neither user nor password stands before "@"');
  return {
    username: user === '' ? null : decode(user, 'user name'),
    password: password === undefined ? null : decode(password, 'password'),
  };
}

function parseQuery(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((each) => each !== '')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    if (parameters.has(name)) throw new UrlProblem(`the parameter ${quotedName(name)} occurs twice`);
    parameters.set(name, value);
  }
  return parameters;
}

/** The name of a parameter, if that is what it looks like: anything else may be a part of a password. */
export function quotedName(name: string): string {
  return /^[\w.-]{1,40}$/.test(name) ? `"${name}"` : 'with an unusual name';
}

function assertPrintable(url: string): void {
  const control = /[\p{Cc}\u2028\u2029\ufeff]/u.exec(url)?.[0];
  if (control !== undefined) {
    const code = (control.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    throw new UrlProblem(
      `it holds the control character U+${code}. Remove it, or write it as ${escaped(control)} in a password`,
    );
  }
  if (url !== url.trim()) throw new UrlProblem('white space stands before or after it. Remove that');
}

function mustBeEscaped(character: string): string {
  return `"${character}" stands in the user name, in the password, or behind the address. In a user name or password, write it as ${escaped(character)}`;
}

function escaped(character: string): string {
  const bytes = [...new TextEncoder().encode(character)];
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
