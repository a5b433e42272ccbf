import { isUtf8 } from 'node:buffer';
import { accessSync, constants, type Dirent } from 'node:fs';
import { glob, lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { EmbedlineError } from '@embedline/core';
import { ENDINGS, formatOf, type FileFormat } from './file-format.ts';
import type { SourceFormat } from './read-item.ts';

/** A file of the corpus. */
export interface SourceFile {
  readonly path: string;
  /** Path below the root of its source, with `/`; the id of a text document. */
  readonly id: string;
  readonly format: FileFormat;
}

/** A file that is not read, and why. */
export interface RefusedFile {
  readonly path: string;
  readonly id: string;
  readonly refused: string;
}

export interface FindOptions {
  /** Paths of files and directories, and globs. */
  readonly sources: readonly string[];
  readonly cwd: string;
  /** Folder below which all sources lie, and from which ids are counted. Defaults to that of each source. */
  readonly root?: string | undefined;
  /** For files whose ending tells nothing; restricts directories to that format. */
  readonly format?: SourceFormat | undefined;
}

const NOT_REGULAR = 'it is not a regular file';
const NOT_UTF8 = 'its name is not UTF-8: rename it, an id is made from it';
const UNREADABLE = 'the directory cannot be read';
const LEADS_OUT = 'it is a link that leads out of its source';
/** What makes a source a glob and not a path. */
const SPECIAL = /[*?[\]{}()]|[!+@]\(/;

/**
 * Every file of the sources, in a stable order. Directories are walked; hidden files and node_modules are left out.
 * @throws EmbedlineError SOURCE_NOT_FOUND, SOURCE_EMPTY, SOURCE_UNREADABLE, USAGE before the first file of a source
 */
export async function* findFiles(options: FindOptions): AsyncGenerator<SourceFile | RefusedFile> {
  for (const source of options.sources) {
    let found = false;
    const prefix = await idPrefix(source, options);
    for await (const file of filesOf(source, options)) {
      found = true;
      yield { ...file, id: prefix + file.id };
    }
    if (!found) throw empty(source, options.format);
  }
}

/** What leads from the common root to that of a source. @throws EmbedlineError USAGE for one that lies elsewhere */
async function idPrefix(source: string, { cwd, root }: FindOptions): Promise<string> {
  if (root === undefined) return '';
  const path = resolve(cwd, source);
  const found = await stat(path).catch(() => null);
  const named = found?.isDirectory() === true ? path : dirname(path);
  const own = found === null ? resolve(cwd, fixedPrefix(source)) : named;
  const prefix = relative(resolve(cwd, root), own);
  if (isAbsolute(prefix) || prefix.split(sep)[0] === '..')
    throw new EmbedlineError('USAGE', `${source} does not lie below the root ${root} (--root).`);
  return prefix === '' ? '' : `${toId(prefix)}/`;
}

async function* filesOf(source: string, options: FindOptions): AsyncGenerator<SourceFile | RefusedFile> {
  const path = resolve(options.cwd, source);
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) {
    if (SPECIAL.test(source)) yield* globbed(source, options);
    else throw cannotRead(source, found);
  } else if (found.isDirectory()) yield* walk(path, await realpath(path), '', options);
  else if (!found.isFile()) yield { path, id: basename(path), refused: NOT_REGULAR };
  else {
    const isLink = (await lstat(path)).isSymbolicLink();
    yield single(path, isLink ? await realpath(path) : path, options, source);
  }
}

async function* globbed(pattern: string, options: FindOptions): AsyncGenerator<SourceFile | RefusedFile> {
  const { paths, unreadable } = await matches(pattern, options.cwd);
  const root = resolve(options.cwd, fixedPrefix(pattern));
  for (const path of unreadable) yield { path, id: toId(relative(root, path)), refused: UNREADABLE };
  if (paths.length === 0) return;
  const realRoot = await realpath(root);
  for (const path of paths.sort()) {
    const id = toId(relative(root, path));
    // A directory on the way may be a link too: `*/x` goes through it where a walk does not.
    const real = await realpath(dirname(path)).catch(() => null);
    const out = real !== null && real !== realRoot && !real.startsWith(below(realRoot));
    const file = await check(path, id, realRoot, options);
    if (file !== null) yield out ? { path, id, refused: LEADS_OUT } : file;
  }
}

/** A glob passes over directories that it may not read; what was in them would be held to have vanished. */
async function matches(pattern: string, cwd: string): Promise<{ paths: string[]; unreadable: Set<string> }> {
  const unreadable = new Set<string>();
  const exclude = (entry: Dirent) => {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory() && !isReadable(path)) unreadable.add(path);
    return false;
  };
  const entries = await Array.fromAsync(glob(pattern, { cwd, withFileTypes: true, exclude }));
  return { paths: entries.map(({ parentPath, name }) => join(parentPath, name)), unreadable };
}

function isReadable(directory: string): boolean {
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function* walk(
  directory: string,
  realRoot: string,
  prefix: string,
  options: FindOptions,
): AsyncGenerator<SourceFile | RefusedFile> {
  // As bytes: decoded, two names that are not UTF-8 may be one, and the name of a third file besides.
  const entries = await readdir(directory, { withFileTypes: true, encoding: 'buffer' }).catch(
    (error: NodeJS.ErrnoException) => error,
  );
  if (entries instanceof Error) {
    yield {
      path: directory,
      id: prefix,
      refused: `the directory cannot be read (${entries.code ?? entries.message})`,
    };
    return;
  }
  const named = entries.map((entry) => ({ entry, name: entry.name.toString('utf8') }));
  for (const { entry, name } of named.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    const path = join(directory, name);
    const id = prefix === '' ? name : `${prefix}/${name}`;
    if (!isUtf8(entry.name)) {
      if (entry.isDirectory() || isWanted(path, options)) yield { path, id, refused: NOT_UTF8 };
    } else if (entry.isDirectory()) yield* walk(path, realRoot, id, options);
    else {
      const file = await check(path, id, realRoot, options);
      if (file !== null) yield file;
    }
  }
}

/** A file of a directory or glob: of a known ending, regular, and not leading out of its root. Null: not one of ours. */
async function check(
  path: string,
  id: string,
  realRoot: string,
  options: FindOptions,
): Promise<SourceFile | RefusedFile | null> {
  const format = formatOf(path);
  if (format === null || !isWanted(path, options)) return null;
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error)
    return { path, id, refused: `the file cannot be read (${found.code ?? found.message})` };
  if (found.isFile()) return { path, id, format };
  if (found.isDirectory()) return null;
  if (!found.isSymbolicLink()) return { path, id, refused: NOT_REGULAR };
  const target = await realpath(path).catch(() => null);
  if (target === null) return { path, id, refused: 'it is a link to nothing' };
  if (!target.startsWith(below(realRoot))) return { path, id, refused: LEADS_OUT };
  const leadsTo = await stat(target).catch(() => null);
  if (leadsTo?.isDirectory()) return null;
  return leadsTo?.isFile() ? { path: target, id, format } : { path, id, refused: NOT_REGULAR };
}

/** A file that was named itself may be a link: who named it meant where it leads. */
function single(named: string, path: string, options: FindOptions, source: string): SourceFile {
  const id = basename(named);
  const byEnding = formatOf(named);
  const gzip = named.endsWith('.gz');
  if (options.format !== undefined) {
    const delimiter = byEnding?.delimiter ?? ',';
    return { path, id, format: { format: options.format, delimiter, gzip } };
  }
  if (byEnding !== null) return { path, id, format: byEnding };
  throw new EmbedlineError(
    'USAGE',
    `The ending of ${source} does not tell its format. Say it with --format jsonl, csv, text or markdown.`,
  );
}

/** The part of a pattern before its first special character, up to a directory. */
function fixedPrefix(pattern: string): string {
  const special = pattern.search(SPECIAL);
  return dirname(`${pattern.slice(0, special === -1 ? pattern.length : special)}x`);
}

function below(directory: string): string {
  return directory.endsWith(sep) ? directory : directory + sep;
}

function isWanted(path: string, { format }: FindOptions): boolean {
  const known = formatOf(path);
  return known !== null && (format === undefined || known.format === format);
}

function toId(path: string): string {
  return path.split(sep).join('/');
}

function cannotRead(source: string, error: NodeJS.ErrnoException): EmbedlineError {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return new EmbedlineError(
      'SOURCE_NOT_FOUND',
      `There is no file or directory ${source}. Check the path.`,
      { cause: error },
    );
  }
  return new EmbedlineError(
    'SOURCE_UNREADABLE',
    `${source} cannot be read (${error.code ?? error.message}). Check its permissions.`,
    {
      cause: error,
    },
  );
}

function empty(source: string, format: SourceFormat | undefined): EmbedlineError {
  const endings = Object.entries(ENDINGS)
    .filter(([, ending]) => format === undefined || ending.format === format)
    .map(([ending]) => ending);
  return new EmbedlineError(
    'SOURCE_EMPTY',
    `${source} holds no file to read. Looked for ${endings.join(', ')} (also with .gz), leaving out hidden files and node_modules.`,
  );
}
