import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EmbedlineError } from '../errors.ts';
import { assertOwnFile, checkStateFolder, isPrivate, openStateFolder } from '../state/state-folder.ts';

/**
 * The folder of a private Redis, made when it is absent. What lies there is what Redis loads, and where it writes: so
 * nothing in it may be a link or others' own, and a folder that others could look into was not made by embedline.
 * @throws EmbedlineError STATE_UNSAFE, STATE_UNUSABLE
 */
export function openServerFolder(dataDirectory: string): string {
  const folder = join(dataDirectory, 'redis');
  if (checkStateFolder(dataDirectory, 'redis')) {
    const names = readdirSync(folder);
    if (names.length > 0 && !isPrivate(lstatSync(folder))) throw foreign(folder);
    for (const name of names) assertOwnEntry(join(folder, name));
  }
  return openStateFolder(dataDirectory, 'redis');
}

function assertOwnEntry(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  // A draft of another command, which has its name by now.
  if (stats === undefined || stats.isSocket()) return;
  if (!stats.isDirectory()) return void assertOwnFile(path);
  checkStateFolder(path);
  for (const name of readdirSync(path)) assertOwnEntry(join(path, name));
}

function foreign(folder: string): EmbedlineError {
  return new EmbedlineError(
    'STATE_UNSAFE',
    `${folder} holds data of a Redis, and other users may look into it: embedline did not make it so. It may have come with a ` +
      `repository or an archive, and was not loaded. If it is yours and you trust it: chmod -R go= '${folder.replaceAll("'", `'\\''`)}'. ` +
      `Else remove it, or leave EMBEDLINE_HOME unset.`,
  );
}
