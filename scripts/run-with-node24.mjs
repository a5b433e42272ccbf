// Runs a TypeScript program of embedline, on any Node that can start this file: the sources need Node 24.15 or later,
// which the `node` package of the project brings along. Plain JavaScript, because an older Node has to read it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MINIMUM = [24, 15];
/**
 * What Node has compiled before, and freed of types: 0.5 s less of computing at each start of a program, and of all that
 * it starts. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE of the environment go before it.
 */
const COMPILE_CACHE = fileURLToPath(new URL('../node_modules/.cache/embedline/compiled', import.meta.url));

/** @param {string} version such as 24.21.0 */
export function isRecentEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1]);
}

/**
 * The project's own Node, or null when it is not installed.
 * @param {string} from a file or directory of the project
 */
export function findProjectNode(from) {
  try {
    const manifest = createRequire(from).resolve('node/package.json');
    const binary = join(dirname(manifest), 'bin', 'node');
    return existsSync(binary) ? binary : null;
  } catch {
    return null;
  }
}

/**
 * Runs a program with the same standard streams; signals go to it, its exit code becomes this process's.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} the exit code
 */
export function runProgram(command, args, env = process.env) {
  return new Promise((resolve, reject) => {
    // The channel tells the child when this process was killed and could pass no signal on.
    const child = spawn(command, args, {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
    });
    // Ctrl-C in a terminal reaches the child as well; kill(1) reaches only this process.
    const forward = (signal) => {
      if (!process.stdin.isTTY || signal !== 'SIGINT') child.kill(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

/**
 * Runs a program of this project here, or by the project's own Node when this one is too old; in a process of its own
 * when Node has to be told something at its start.
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
      `error: embedline needs Node ${MINIMUM.join('.')} or later; this is ${process.versions.node}. ` +
        'Run npm install in the project (it brings its own), or install a newer Node.\n',
    );
    process.exitCode = 1;
    return;
  }
  const args = [...nodeOptions, fileURLToPath(program), ...process.argv.slice(2)];
  process.exitCode = await runProgram(node, args);
}
