import { EmbedlineError } from '@embedline/core';
import type { FileFormat } from './file-format.ts';
import type { SourceFormat } from './read-item.ts';

/** A file of the corpus. */
export interface SourceFile {
  readonly path: string;
  /** Path below the root, with `/`; the id of a text document. */
  readonly id: string;
  readonly format: FileFormat;
  /** Which of the sources it belongs to. */
  readonly source: number;
}

/** A file that is not read, and why. */
export interface RefusedFile {
  readonly path: string;
  readonly id: string;
  readonly refused: string;
}

export interface PathSource {
  /** A file, a folder, or a glob. */
  readonly path: string;
  /** For files whose ending tells nothing; restricts folders and globs to that format. */
  readonly format?: SourceFormat | undefined;
  /** A .json beside a text is its metadata, so that it is not ignored. */
  readonly readsSidecars: boolean;
}

/** What is kept out of folders and globs. A file that is named itself is read. */
export interface FindRules {
  /** Patterns as in .gitignore, counted from each source. */
  readonly exclude: readonly string[];
  /** Whether files and folders whose names begin with a dot are taken, .git aside. */
  readonly hidden: boolean;
  /** Whether .gitignore and .embedlineignore are honoured, and node_modules is kept out. */
  readonly ignore: boolean;
  /** Links that leave the source, or the root that was named, are not followed in any case. */
  readonly followLinks: boolean;
}

export const DEFAULT_FIND_RULES: FindRules = Object.freeze({
  exclude: [],
  hidden: false,
  ignore: true,
  followLinks: false,
});

export interface FindOptions extends FindRules {
  readonly sources: readonly PathSource[];
  readonly cwd: string;
  /** Folder below which all sources lie, and from which ids are counted. Defaults to what {@link rootOf} says. */
  readonly root?: string | undefined;
  /** How a path is shown to people. */
  readonly show: (path: string) => string;
}

/** @returns the error for a source that is not there, or may not be read */
export function cannotRead(source: string, error: NodeJS.ErrnoException): EmbedlineError {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return new EmbedlineError(
      'SOURCE_NOT_FOUND',
      `There is no file or directory ${source}. Check the path.`,
      { cause: error },
    );
  }
  if (error.code === 'ELOOP') {
    return new EmbedlineError(
      'SOURCE_NOT_FOUND',
      `${source} is a link that leads back to itself. Check where it leads.`,
      { cause: error },
    );
  }
  return new EmbedlineError(
    'SOURCE_UNREADABLE',
    `${source} cannot be read (${error.code ?? error.message}). Check its permissions.`,
    { cause: error },
  );
}
