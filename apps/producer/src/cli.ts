import { isEmbedlineError, listenForStop, type Config } from '@embedline/core';
import { buildProgram, isUsageError } from './command-line/program.ts';
import { EXIT, type CommandContext } from './commands/context.ts';
import { printError } from './terminal/print-error.ts';
import { styleFor } from './terminal/style.ts';

/** Commands that have something to do besides printing: a reader of theirs that goes away does not end them. */
const WORKING_COMMANDS = new Set(['ingest', 'delete', 'serve', 'verify', 'schedule', 'init', 'failed']);

/** Runs one command line. @returns the exit code: 0 done, 1 failed, 2 usage, 3 done with dead letters, 130 interrupted */
export async function runCli(args: readonly string[], readConfig: () => Config): Promise<number> {
  const secondSignal = new Set<() => void>();
  using stop = listenForStop(() => {
    for (const action of secondSignal) action();
    process.exit(EXIT.interrupted);
  });
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    // A reader that has seen enough (| head) is no error; work under way goes on unseen.
    if (!WORKING_COMMANDS.has(args[0] ?? '')) process.exit(EXIT.done);
  });
  let exitCode: number = EXIT.done;
  const run = async (command: (context: CommandContext) => Promise<number>) => {
    exitCode = await command({
      config: readConfig(),
      cwd: process.cwd(),
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      style: styleFor(process.stdout),
      errorStyle: styleFor(process.stderr),
      signal: stop.signal,
      onSecondSignal: (action) => secondSignal.add(action),
    });
  };
  try {
    await buildProgram(run).parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportError(error, stop.signal, args.includes('--json'));
  }
}

function reportError(error: unknown, stop: AbortSignal, json: boolean): number {
  const usage = isUsageError(error);
  // The message and the help are printed already.
  if (usage !== null) return usage ? EXIT.usage : EXIT.done;
  if (stop.aborted) {
    process.stderr.write(
      'Stopped. What was done stays done; running the same command again goes on from there.\n',
    );
    return EXIT.interrupted;
  }
  const { stdout, stderr } = process;
  printError(error, { json, context: { stdout, stderr, errorStyle: styleFor(stderr) } });
  return isEmbedlineError(error, 'USAGE') || isEmbedlineError(error, 'CONFIG_INVALID')
    ? EXIT.usage
    : EXIT.failed;
}
