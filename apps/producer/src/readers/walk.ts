import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Ignore } from 'ignore';
import { formatOf } from './file-format.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import type { LeftOutCounts } from './left-out.ts';

/** What a walk comes upon, besides what it leaves out. */
export type Found =
  | {
      readonly type: 'file';
      readonly path: string;
      readonly id: string;
      /** The path, or where it leads if it is a link. */
      readonly target: string;
      /** Names in its folder. */
      readonly siblings: ReadonlySet<string>;
    }
  | { readonly type: 'refused'; readonly path: string; readonly id: string; readonly refused: string };

export interface WalkOptions {
  /** Whether a file of that path below the root may be one of ours, whatever its ending; also asked of links. */
  readonly matches: (id: string) => boolean;
  /** Folders below the root that are entered; null for all. */
  readonly depth: number | null;
  readonly hidden: boolean;
  readonly nodeModules: boolean;
  /** Null: .gitignore and .embedlineignore are not honoured. */
  readonly rules: IgnoreRules | null;
  readonly exclude: Ignore;
  /** Null: links are not followed. Else the folder that they must not leave. */
  readonly followWithin: string | null;
  readonly leftOut: LeftOutCounts;
  /** How a path is shown to people. */
  readonly show: (path: string) => string;
}

const NOT_UTF8 = 'its name is not UTF-8: rename it, an id is made from it';
export const NOT_REGULAR = 'it is not a regular file';

interface Place {
  readonly folder: string;
  /** Path below the root, with `/`; empty for the root. */
  readonly id: string;
  readonly depth: number;
  readonly rules: IgnoreRules | null;
  /** Where the folders on the way really lie, so that a loop of links is noticed. */
  readonly above: readonly string[];
  readonly throughLink: boolean;
}

/** The files of a folder and of those below it, in the order of their names. */
export class Walk {
  readonly #options: WalkOptions;
  /** Folders that a link within a linked folder led to: each is entered once, or their number could be exponential. */
  readonly #entered = new Set<string>();

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  async *files(root: string): AsyncGenerator<Found> {
    const above = [await realpath(root)];
    const { rules } = this.#options;
    yield* this.#in({ folder: root, id: '', depth: 0, rules, above, throughLink: false });
  }

  async *#in(place: Place): AsyncGenerator<Found> {
    // As bytes: decoded, two names that are not UTF-8 may be one, and the name of a third file besides.
    const entries = await readdir(place.folder, { withFileTypes: true, encoding: 'buffer' }).catch(
      (error: NodeJS.ErrnoException) => error,
    );
    if (entries instanceof Error) {
      const refused = `the directory cannot be read (${entries.code ?? entries.message})`;
      yield { type: 'refused', path: place.folder, id: place.id, refused };
      return;
    }
    const named = entries.map((entry) => ({ entry, name: entry.name.toString('utf8') }));
    const siblings = new Set(named.map(({ name }) => name));
    for (const { entry, name } of named.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(place.folder, name);
      const id = place.id === '' ? name : `${place.id}/${name}`;
      if (this.#isSkipped(name, path, id, entry.isDirectory(), place)) continue;
      if (!isUtf8(entry.name)) {
        if (entry.isDirectory() || formatOf(path) !== null)
          yield { type: 'refused', path, id, refused: NOT_UTF8 };
      } else if (entry.isDirectory()) yield* this.#enter(path, id, place, null);
      else if (entry.isSymbolicLink()) yield* this.#follow(path, id, place, siblings);
      else if (this.#options.matches(id)) yield* found(entry, path, id, siblings);
    }
  }

  /** Told by the rule that keeps it out, if one does. */
  #isSkipped(name: string, path: string, id: string, isFolder: boolean, { rules }: Place): boolean {
    const { hidden, nodeModules, exclude, leftOut } = this.#options;
    const isGit = name === '.git' && !(hidden && nodeModules);
    // A file of rules is about others; it is no document that somebody might miss.
    if (name === '.gitignore' || name === '.embedlineignore') return true;
    if (isGit || (name.startsWith('.') && !hidden)) leftOut.skip('hidden');
    else if (name === 'node_modules' && !nodeModules) leftOut.skip('node_modules');
    else if (rules?.ignores(path, isFolder) === true) leftOut.skip('.gitignore or .embedlineignore');
    else if (exclude.ignores(isFolder ? `${id}/` : id)) leftOut.skip('--exclude');
    else return false;
    return true;
  }

  async *#enter(folder: string, id: string, place: Place, target: string | null): AsyncGenerator<Found> {
    const depth = place.depth + 1;
    if (this.#options.depth !== null && depth > this.#options.depth) return;
    const real = target ?? join(place.above.at(-1) ?? '', folder.slice(folder.lastIndexOf(sep) + 1));
    const above = [...place.above, real];
    const throughLink = place.throughLink || target !== null;
    try {
      const rules = place.rules === null ? null : await place.rules.in(folder);
      yield* this.#in({ folder, id, depth, rules, above, throughLink });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      yield { type: 'refused', path: folder, id, refused: error.message };
    }
  }

  async *#follow(
    path: string,
    id: string,
    place: Place,
    siblings: ReadonlySet<string>,
  ): AsyncGenerator<Found> {
    const { followWithin, leftOut, matches, show } = this.#options;
    const target = await realpath(path).catch(() => null);
    const leadsTo = target === null ? null : await stat(target).catch(() => null);
    const isFolder = leadsTo?.isDirectory() === true;
    if (!isFolder && !matches(id)) return;
    const leave = (why: string) => leftOut.link(show(path), why);
    if (target === null || leadsTo === null) leave('it leads nowhere');
    else if (followWithin === null) leave(`it leads to ${isFolder ? 'a folder' : 'a file'} (--follow-links)`);
    else if (target !== followWithin && !target.startsWith(below(followWithin)))
      leave(`it leads out of ${show(followWithin)}`);
    else if (isFolder) {
      if (place.above.includes(target)) leave('it leads back to a folder that it is in');
      else if (place.throughLink && this.#entered.has(target))
        leave('where it leads was read through another link');
      else {
        if (place.throughLink) this.#entered.add(target);
        yield* this.#enter(path, id, place, target);
      }
    } else if (leadsTo.isFile()) yield { type: 'file', path, id, target, siblings };
    else leave('it leads to something that is not a regular file');
  }
}

function* found(
  entry: Dirent<Buffer>,
  path: string,
  id: string,
  siblings: ReadonlySet<string>,
): Generator<Found> {
  if (entry.isFile()) yield { type: 'file', path, id, target: path, siblings };
  else if (formatOf(path) !== null) yield { type: 'refused', path, id, refused: NOT_REGULAR };
}

export function below(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep;
}
