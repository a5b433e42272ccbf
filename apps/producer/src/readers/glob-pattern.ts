import { dirname, resolve } from 'node:path';
import picomatch from 'picomatch';

/** What makes a source a glob and not a path. */
const SPECIAL = /[*?[\]{}()]|[!+@]\(/;

export function isGlob(source: string): boolean {
  return SPECIAL.test(source);
}

/** A glob, as a folder to walk and what is to be taken of it. */
export interface GlobPattern {
  /** The part before the first special character, up to a folder. */
  readonly folder: string;
  /** @param path below the folder, with `/` */
  matches(path: string): boolean;
  /** Folders below `folder` that can hold a match; null when there is no end to them. */
  readonly depth: number | null;
  /** Whether it names hidden files or node_modules itself, which is asking for them. */
  readonly namesHidden: boolean;
  readonly namesNodeModules: boolean;
}

export function parseGlob(source: string, cwd: string): GlobPattern {
  const special = source.search(SPECIAL);
  const fixed = special === -1 ? source : source.slice(0, special);
  const prefix = fixed.slice(0, fixed.lastIndexOf('/') + 1);
  const rest = source.slice(prefix.length);
  const isMatch = picomatch(rest, { dot: true });
  const names = rest.split('/');
  return {
    folder: resolve(cwd, prefix === '' ? '.' : dirname(`${prefix}x`)),
    matches: (path) => isMatch(path),
    depth: /\*\*|[{(]/.test(rest) ? null : names.length - 1,
    namesHidden: /(?:^|[/{,(|])\.[^./*]/.test(rest),
    namesNodeModules: names.includes('node_modules'),
  };
}
