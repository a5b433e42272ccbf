import { realpath, stat, lstat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { EmbedlineError } from '@embedline/core';
import ignore from 'ignore';
import { ENDINGS, formatOf } from './file-format.ts';
import { isGlob, parseGlob } from './glob-pattern.ts';
import { IgnoreRules } from './ignore-rules.ts';
import { describeIgnored, LeftOutCounts, type LeftOut } from './left-out.ts';
import {
  cannotRead,
  type FindOptions,
  type PathSource,
  type RefusedFile,
  type SourceFile,
} from './source-file.ts';
import { idPrefix, rootOf } from './source-root.ts';
import { NOT_REGULAR, Walk, type Found } from './walk.ts';

/** Finds the files of the sources, and counts those that are left out. For one pass: the counts are those of all of it. */
export class FileFinder {
  readonly #options: FindOptions;
  readonly #leftOut = new LeftOutCounts();
  /** With several sources: what was found already, and what only another one may take. */
  readonly #taken = new Set<string>();
  readonly #ignored = new Set<string>();

  constructor(options: FindOptions) {
    this.#options = options;
  }

  /** Complete when the last file was found. */
  leftOut(): LeftOut {
    return this.#leftOut.report();
  }

  /**
   * Every file of the sources, in a stable order. One that several sources have is read once, as part of the first.
   * @throws EmbedlineError SOURCE_NOT_FOUND, SOURCE_EMPTY, SOURCE_UNREADABLE, USAGE before the first file of a source
   */
  async *files(): AsyncGenerator<SourceFile | RefusedFile> {
    const { sources, root, cwd } = this.#options;
    const commonRoot = root ?? (await rootOf(sources, cwd));
    const isOne = sources.length === 1;
    for (const [index, source] of sources.entries()) {
      let isEmpty = true;
      const prefix = await idPrefix(source.path, { cwd, root: commonRoot });
      for await (const file of this.#filesOf(source, index)) {
        isEmpty = false;
        if (!isOne && this.#taken.has(file.path)) continue;
        if (!isOne) this.#taken.add(file.path);
        yield { ...file, id: prefix + file.id };
      }
      if (isEmpty) throw this.#empty(source);
    }
    for (const path of this.#ignored)
      if (!this.#taken.has(path)) this.#leftOut.ignore(this.#options.show(path));
  }

  async *#filesOf(source: PathSource, index: number): AsyncGenerator<SourceFile | RefusedFile> {
    const { cwd } = this.#options;
    const path = resolve(cwd, source.path);
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
    if (found instanceof Error) {
      if (!isGlob(source.path)) throw cannotRead(source.path, found);
      const { folder, ...glob } = parseGlob(source.path, cwd);
      const isThere = await stat(folder).catch(() => null);
      if (isThere?.isDirectory() === true) yield* this.#below(folder, source, index, glob);
    } else if (found.isDirectory()) {
      const all = { matches: () => true, depth: null, namesHidden: false, namesNodeModules: false };
      yield* this.#below(path, source, index, all);
    } else if (!found.isFile()) yield { path, id: basename(path), refused: NOT_REGULAR };
    else yield await single(path, source, index);
  }

  async *#below(
    folder: string,
    source: PathSource,
    index: number,
    { matches, depth, namesHidden, namesNodeModules }: Omit<ReturnType<typeof parseGlob>, 'folder'>,
  ): AsyncGenerator<SourceFile | RefusedFile> {
    const { hidden, ignore: honour, exclude, followLinks, root, cwd, show } = this.#options;
    const boundary = root === undefined ? folder : resolve(cwd, root);
    const walk = new Walk({
      matches,
      depth,
      hidden: hidden || namesHidden,
      nodeModules: !honour || namesNodeModules,
      rules: honour ? await rulesAt(folder) : null,
      exclude: ignore({ ignorecase: false }).add([...exclude]),
      followWithin: followLinks ? await realpath(boundary) : null,
      leftOut: this.#leftOut,
      show,
    });
    for await (const found of walk.files(folder)) {
      const file = this.#judge(found, source, index);
      if (file !== null) yield file;
    }
  }

  /** Null: not one of ours. */
  #judge(found: Found, source: PathSource, index: number): SourceFile | RefusedFile | null {
    const { path, id } = found;
    if (found.type === 'refused') return { path, id, refused: found.refused };
    const format = formatOf(path);
    if (format !== null && (source.format === undefined || format.format === source.format))
      return { path: found.target, id, format, source: index };
    if (source.readsSidecars && isSidecar(path, found.siblings)) return null;
    if (this.#options.sources.length === 1) this.#leftOut.ignore(this.#options.show(path));
    else this.#ignored.add(found.target);
    return null;
  }

  #empty({ path, format }: PathSource): EmbedlineError {
    const endings = Object.entries(ENDINGS)
      .filter(([, ending]) => format === undefined || ending.format === format)
      .map(([ending]) => ending);
    const leftOut = this.#leftOut.report();
    const skipped = Object.entries(leftOut.skipped).map(([rule, count]) => `${count} by rule (${rule})`);
    const others = [
      ...(leftOut.ignored.files === 0 ? [] : [describeIgnored(leftOut)]),
      ...(leftOut.links.count === 0 ? [] : [`${leftOut.links.count} links not followed (--follow-links)`]),
      ...(skipped.length === 0 ? [] : [`kept out: ${skipped.join(', ')} (--hidden, --no-ignore)`]),
    ];
    return new EmbedlineError(
      'SOURCE_EMPTY',
      `${path} holds no file to read. Looked for ${endings.join(', ')} (also with .gz), leaving out hidden files and node_modules` +
        `${others.length === 0 ? '' : `. ${others.join('; ')}`}.`,
    );
  }
}

/** Whether a .json has the stem of a text in its folder. */
function isSidecar(path: string, siblings: ReadonlySet<string>): boolean {
  if (!path.endsWith('.json')) return false;
  const stem = basename(path, '.json');
  const endings = Object.entries(ENDINGS).filter(
    ([, { format }]) => format === 'text' || format === 'markdown',
  );
  return endings.some(([ending]) => siblings.has(stem + ending) || siblings.has(`${stem}${ending}.gz`));
}

async function rulesAt(folder: string): Promise<IgnoreRules> {
  try {
    return await IgnoreRules.at(folder);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new EmbedlineError(
      'SOURCE_UNREADABLE',
      `${cause.message}. Check its permissions, or say --no-ignore.`,
      { cause },
    );
  }
}

/** A file that is named itself may be a link: what it leads to is read. */
async function single(
  named: string,
  { path: source, format }: PathSource,
  index: number,
): Promise<SourceFile> {
  const isLink = (await lstat(named)).isSymbolicLink();
  const path = isLink ? await realpath(named) : named;
  const id = basename(named);
  const byEnding = formatOf(named);
  const gzip = /\.gz$/i.test(named);
  if (format !== undefined)
    return { path, id, format: { format, delimiter: byEnding?.delimiter ?? ',', gzip }, source: index };
  if (byEnding !== null) return { path, id, format: byEnding, source: index };
  throw new EmbedlineError(
    'USAGE',
    `The ending of ${source} does not tell its format. Say it with --format jsonl, csv, text or markdown.`,
  );
}
