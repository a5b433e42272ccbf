/**
 * Leads a process group, as a shell leads a pipeline: starts Node programs in it, the first with its own stdin, and lives
 * through the signals that they get. Prints how each has ended, as JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';

const programs = z.array(z.array(z.string())).parse(JSON.parse(process.argv[2] ?? ''));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

const ends = programs.map(async (args, index) => {
  const stdin = index === 0 ? 'inherit' : 'ignore';
  const child = spawn(process.execPath, args, { stdio: [stdin, 'ignore', 'inherit'] });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return code ?? signal;
});
process.stdout.write(JSON.stringify(await Promise.all(ends)));
