import { stat } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { EmbedlineError } from '@embedline/core';
import { isGlob, parseGlob } from './glob-pattern.ts';

/**
 * The folder from which ids are counted when none is named: with several sources the nearest one that all of them lie
 * in, so that ./d1/README.md and ./d2/README.md are two documents. Undefined for one source: its own folder.
 */
export async function rootOf(
  sources: readonly { readonly path: string }[],
  cwd: string,
): Promise<string | undefined> {
  if (sources.length < 2) return undefined;
  const folders = await Promise.all(sources.map(({ path }) => ownFolder(path, cwd)));
  return folders.reduce(commonFolder);
}

/** The folder of a source: itself, that of a file, or the part of a glob before its first special character. */
export async function ownFolder(source: string, cwd: string): Promise<string> {
  const path = resolve(cwd, source);
  const found = await stat(path).catch(() => null);
  if (found === null && isGlob(source)) return parseGlob(source, cwd).folder;
  return found?.isDirectory() === true ? path : dirname(path);
}

/** What leads from the root to the folder of a source. @throws EmbedlineError USAGE for one that lies elsewhere */
export async function idPrefix(
  source: string,
  { cwd, root }: { readonly cwd: string; readonly root: string | undefined },
): Promise<string> {
  if (root === undefined) return '';
  const prefix = relative(resolve(cwd, root), await ownFolder(source, cwd));
  if (isAbsolute(prefix) || prefix.split(sep)[0] === '..')
    throw new EmbedlineError('USAGE', `${source} does not lie below the root ${root} (--root).`);
  return prefix === '' ? '' : `${prefix.split(sep).join('/')}/`;
}

function commonFolder(a: string, b: string): string {
  let folder = a;
  while (folder !== b && !b.startsWith(folder.endsWith(sep) ? folder : folder + sep))
    folder = dirname(folder);
  return folder;
}
