// Which Node runs the project's programs. Plain JavaScript without dependencies, because an older Node has to read it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { findProjectNode, isRecentEnough, MINIMUM_VERSION, NODE_PACKAGE } from './run-with-node24.mjs';

/**
 * The project's own Node, whose version the lockfile pins, or the one that runs this when the project has none that runs here.
 * @param {string} root the project's folder
 * @param {{ path: string, version: string }} own the Node that runs this
 * @returns {{ path: string, version: string, origin: string, problem: null } | { problem: string }}
 */
export function chooseNode(root, own = { path: process.execPath, version: process.versions.node }) {
  const path = findProjectNode(join(root, 'package.json'));
  const version = path === null ? null : versionOf(path);
  if (version !== null && isRecentEnough(version))
    return { path, version, origin: `the project's own, from node_modules/${NODE_PACKAGE}`, problem: null };
  const reason =
    path === null
      ? `${NODE_PACKAGE} is not installed`
      : version === null
        ? `${NODE_PACKAGE} does not run on this system`
        : `${NODE_PACKAGE} is Node ${version}`;
  if (isRecentEnough(own.version)) return { ...own, origin: `${own.path}, because ${reason}`, problem: null };
  return {
    problem:
      `Node ${MINIMUM_VERSION} or later is needed; this is Node ${own.version}, and ${reason}. ` +
      'Install a newer Node, or remove node_modules and run this again.',
  };
}

function versionOf(path) {
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim().slice(1) : null;
}
