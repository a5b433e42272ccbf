// `npm start`, `npm test` and the other programs of package.json on a machine that has only Node 20 and npm: installs the
// dependencies from the lockfile when they are missing or out of step, then runs everything else by the project's own
// Node 24. Plain JavaScript without dependencies, because nothing else is there yet.
import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDependencies } from './install.mjs';
import { findProjectNode, isRecentEnough, runProgram } from './run-with-node24.mjs';

// A reader that has gone, or a full disk behind a log, ends neither an install nor the program.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');

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
  const { problem, code } = await installDependencies(root);
  if (problem !== null) return fail(problem, code);
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

function fail(message, code) {
  process.stderr.write(`error: ${message}\n`);
  return code;
}
