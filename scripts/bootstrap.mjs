// `npm start`, `npm test` and the other programs of package.json on a machine that has only Node 20 and npm: installs the
// dependencies from the lockfile when they are missing or out of step, then runs everything else on the project's own
// Node 24, or on the user's when the project has none for this platform. Plain JavaScript without dependencies, because nothing else is there yet.
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDependencies } from './install.mjs';
import { chooseNode } from './choose-node.mjs';
import { runProgram } from './run-with-node24.mjs';

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
  const node = chooseNode(root);
  if (node.problem !== null) return fail(node.problem, 1);
  process.stderr.write(`Using Node ${node.version}: ${node.origin}.\n`);
  // Programs that are started by the name "node" run on the same one.
  const path = [dirname(node.path), join(modules, '.bin'), process.env.PATH ?? ''].join(delimiter);
  return runProgram(node.path, [join(root, program[0]), ...program.slice(1), ...args], {
    ...process.env,
    PATH: path,
  });
}

function fail(message, code) {
  process.stderr.write(`error: ${message}\n`);
  return code;
}
