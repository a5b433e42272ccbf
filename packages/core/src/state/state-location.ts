import { createHash } from 'node:crypto';
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';

/** The end of a folder of state that was not named by the user: below it, embedline made every folder itself. */
export const LEVELS_OF_USERS = /[\\/]embedline[\\/]projects[\\/][^\\/]+$/;

/** Stands for the folder of state where the environment does not say where the user's files are. Nothing can be made there. */
export const NO_STATE_FOLDER = '/dev/null/embedline';

/**
 * What a project is: the folder of the configuration file that a command names, else the working directory, where a
 * configuration file is looked for. Links on the way there are followed, so that one folder is one project.
 * @param configFile as a person typed it
 */
export function projectFolder(cwd: string, configFile?: string): string {
  if (configFile === undefined) return realPath(cwd);
  const named = resolve(cwd, configFile);
  const isFolder = statSync(named, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return realPath(isFolder ? named : dirname(named));
}

/**
 * The folder of a project's state when EMBEDLINE_HOME does not name one: `<base>/embedline/projects/<name>-<hash>`, where
 * the base is `$XDG_STATE_HOME`, else `~/.local/state` (macOS: `~/Library/Application Support`, Windows: `%LOCALAPPDATA%`).
 * @returns null when the environment does not say where the user's files are
 */
export function usersStateFolder(
  env: Readonly<Record<string, string | undefined>>,
  project: string,
  platform: NodeJS.Platform = process.platform,
): string | null {
  const base = usersBase(env, platform);
  return base === null ? null : join(base, 'embedline', 'projects', projectKey(project));
}

/** The project's name for people, and a hash of where it is, so that two of one name do not share anything. */
export function projectKey(project: string): string {
  const hash = createHash('sha256').update(project).digest('hex').slice(0, 12);
  const name = basename(project)
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 40);
  return `${name === '' ? 'project' : name}-${hash}`;
}

/** A relative XDG_STATE_HOME counts as not set, as its specification has it. */
function usersBase(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform,
): string | null {
  const { XDG_STATE_HOME, HOME, LOCALAPPDATA } = env;
  if (XDG_STATE_HOME !== undefined && isAbsolute(XDG_STATE_HOME)) return XDG_STATE_HOME;
  if (platform === 'win32') return LOCALAPPDATA ?? null;
  if (HOME === undefined || !isAbsolute(HOME)) return null;
  return platform === 'darwin' ? join(HOME, 'Library', 'Application Support') : join(HOME, '.local', 'state');
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
