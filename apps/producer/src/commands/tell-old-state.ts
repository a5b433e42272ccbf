import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { safeText } from '@embedline/core/base';
import type { Config } from '@embedline/core/search';

/** Where versions before 0.2 kept state by default, and what shows that it is that. */
const OLD_FOLDER = '.embedline';
const OLD_CONTENTS = ['vectors', 'redis'] as const;

/**
 * The folder of state in a project's own folder, which versions before 0.2 used by themselves. It may also have come
 * with the project: so it is never used unless EMBEDLINE_HOME names it.
 * @returns null if there is no such folder, or if EMBEDLINE_HOME is set
 */
export function findOldState({ projectDirectory, isHomeGiven }: Config): string | null {
  const folder = join(projectDirectory, OLD_FOLDER);
  return !isHomeGiven && OLD_CONTENTS.some((name) => isFolder(join(folder, name))) ? folder : null;
}

/** Tells of such a folder for as long as the project has no store in the new place. */
export function tellOldState(config: Config, tell: (text: string) => void): void {
  const old = findOldState(config);
  if (old === null || OLD_CONTENTS.some((name) => isFolder(join(config.dataDirectory, name)))) return;
  tell(`note: ${describeOldState(old, config)} ${wayOn(old)}`);
}

export function describeOldState(old: string, { dataDirectory }: Pick<Config, 'dataDirectory'>): string {
  return (
    `${safeText(old)} holds a store or a private Redis: of an earlier version of embedline, or of whoever made this folder. ` +
    `It is not used by itself any more. The state of this project is in ${safeText(dataDirectory)}.`
  );
}

export function wayOn(old: string): string {
  const quoted = `'${safeText(old).replaceAll("'", `'\\''`)}'`;
  return `If you made it and want to go on with it: chmod -R go= ${quoted} && export EMBEDLINE_HOME=${quoted}`;
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
