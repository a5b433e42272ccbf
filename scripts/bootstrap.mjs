// `npm start`, `npm test` and the other programs of package.json on a machine that has only Node 20 and npm: installs the
// dependencies from the lockfile when they are missing or out of step, then runs everything else by the project's own
// Node 24. Plain JavaScript without dependencies, because nothing else is there yet.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProjectNode, isRecentEnough, runProgram } from './run-with-node24.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const stamp = join(modules, '.embedline-lockfile');
const lock = join(root, '.embedline-install.lock');
/** An install that holds the lock for longer than this is dead. */
const STALE_LOCK_MS = 15 * 60_000;

const programs = {
  start: ['apps/producer/src/demo.ts'],
  test: ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'],
};

process.exitCode = await main(process.argv[2], process.argv.slice(3));

async function main(task, args) {
  const program = programs[task] ?? (task?.endsWith('.ts') ? [task] : undefined);
  if (program === undefined)
    return fail(
      `usage: node scripts/bootstrap.mjs ${Object.keys(programs).join('|')}|PROGRAM.ts [arguments]`,
      2,
    );
  if (!isInstalled()) {
    const problem = await install();
    if (problem !== null) return fail(problem, 1);
  }
  const node = findProjectNode(join(root, 'package.json'));
  if (node === null)
    return fail('The node package is not installed completely. Remove node_modules and run this again.', 1);
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim().slice(1) ?? '';
  if (!isRecentEnough(version))
    return fail(`The project's own Node is ${version || 'not running'}; 24.15 or later is needed.`, 1);
  const path = `${join(modules, '.bin')}${delimiter}${process.env.PATH ?? ''}`;
  return runProgram(node, [join(root, program[0]), ...program.slice(1), ...args], {
    ...process.env,
    PATH: path,
  });
}

/** In step with the lockfile, as the stamp of the last complete install says. */
function isInstalled() {
  try {
    return readFileSync(stamp, 'utf8') === lockfileHash();
  } catch {
    return false;
  }
}

function lockfileHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/** @returns {Promise<string | null>} what went wrong */
async function install() {
  while (!takeLock()) {
    await delay(500);
    if (isInstalled()) return null;
  }
  try {
    if (isInstalled()) return null;
    process.stderr.write('Installing dependencies from package-lock.json (once; a minute or so) ...\n');
    const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
      // onnxruntime would download CUDA libraries, which nothing here uses.
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    });
    if (npm.error) return `npm cannot be run (${npm.error.message}). Install it, then run this again.`;
    if (npm.status !== 0)
      return `npm ci failed (exit code ${npm.status}). Its messages are above; check the network and run this again.`;
    writeFileSync(stamp, lockfileHash());
    return null;
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** A directory, because making one succeeds for one process only. */
function takeLock() {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    if (existsSync(lock) && Date.now() - statSync(lock).mtimeMs > STALE_LOCK_MS)
      rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

function fail(message, code) {
  process.stderr.write(`error: ${message}\n`);
  return code;
}
