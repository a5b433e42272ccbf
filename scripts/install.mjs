// Installs the dependencies from the lockfile when they are missing, incomplete or out of step. Plain JavaScript without
// dependencies, because nothing else is there yet.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { takeInstallLock } from './install-lock.mjs';
import { findProjectNode, NODE_PACKAGE } from './run-with-node24.mjs';

/** npm gets so long to end after a signal. */
const KILL_AFTER_MS = 3_000;

/**
 * @param {string} root the project's folder
 * @returns {Promise<{ problem: string | null, code: number }>} what went wrong, and the exit code that says so
 */
export async function installDependencies(root) {
  if (isInstalled(root)) return { problem: null, code: 0 };
  const path = join(root, '.embedline-install.lock');
  const tell = (message) => process.stderr.write(`${message}\n`);
  let lock;
  try {
    lock = await takeInstallLock(path, { tell, isDone: () => isInstalled(root) });
  } catch (error) {
    const remedy = 'Run this as the user who owns the folder, or make it writable.';
    return {
      problem: `The install lock ${path} cannot be taken (${error.code ?? error.message}). ${remedy}`,
      code: 1,
    };
  }
  if (lock === null) return { problem: null, code: 0 };
  try {
    return isInstalled(root) ? { problem: null, code: 0 } : await install(root, lock);
  } finally {
    lock.release();
  }
}

const stampOf = (root) => join(root, 'node_modules', '.embedline-lockfile');

/** In step with the lockfile, as the stamp of the last complete install says, and not taken apart since. */
function isInstalled(root) {
  try {
    return (
      readFileSync(stampOf(root), 'utf8') === lockfileHash(root) &&
      (!hasNodePackage(root) || findProjectNode(join(root, 'package.json')) !== null)
    );
  } catch {
    return false;
  }
}

/** What npm says that it installed: not on a platform that has no such package, nor with `omit=optional`. */
function hasNodePackage(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8'));
  return packages?.[`node_modules/${NODE_PACKAGE}`] !== undefined;
}

function lockfileHash(root) {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

async function install(root, lock) {
  process.stderr.write('Installing dependencies from package-lock.json (once; a minute or so) ...\n');
  // From here until the end, what is there is incomplete.
  rmSync(stampOf(root), { force: true });
  const { error, code, stoppedBy } = await runNpm(root, lock);
  if (stoppedBy !== null)
    return {
      problem: `Stopped by ${stoppedBy} before everything was installed. Run this again to go on.`,
      code: 128 + constants.signals[stoppedBy],
    };
  if (error !== null)
    return { problem: `npm cannot be run (${error.message}). Install it, then run this again.`, code: 1 };
  if (code !== 0) {
    const advice = 'Its messages are above; check the network and run this again.';
    return { problem: `npm ci failed (exit code ${code}). ${advice}`, code: 1 };
  }
  writeFileSync(stampOf(root), lockfileHash(root));
  return { problem: null, code: 0 };
}

/** In a process group of its own, so that a stop ends npm with all that it has started. */
function runNpm(root, lock) {
  // No package here needs an install script: native parts come in their packages, which the lockfile's hashes cover.
  const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
    detached: process.platform !== 'win32',
  });
  if (npm.pid !== undefined) lock.setNpm(npm.pid);
  let stoppedBy = null;
  const stop = (signal) => {
    // Closing a terminal ends only what has one (nohup).
    if (signal === 'SIGHUP' && ![0, 1, 2].some((descriptor) => isatty(descriptor))) return;
    if (stoppedBy !== null) return;
    stoppedBy = signal;
    kill(npm, 'SIGTERM');
    setTimeout(() => kill(npm, 'SIGKILL'), KILL_AFTER_MS).unref();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, stop);
  return new Promise((resolve) => {
    const end = (error, code) => {
      for (const signal of signals) process.off(signal, stop);
      // Whatever npm has started and left.
      if (stoppedBy !== null) kill(npm, 'SIGKILL');
      resolve({ error, code, stoppedBy });
    };
    npm.on('error', (error) => end(error, null));
    npm.on('exit', (code, signal) => end(null, code ?? signal));
  });
}

function kill(npm, signal) {
  try {
    if (process.platform === 'win32') npm.kill(signal);
    else process.kill(-npm.pid, signal);
  } catch {
    // It has ended.
  }
}
