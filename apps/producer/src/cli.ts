import { guardOutput, listenForStop } from '@embedline/core/base';
import type { Config } from '@embedline/core/search';
import { buildProgram, isUsageError } from './command-line/program.ts';
import { EXIT, exitCodeOf } from './commands/exit-codes.ts';
import type { CommandContext } from './commands/command-context.ts';
import { tellOldState } from './commands/tell-old-state.ts';
import { printError } from './terminal/print-error.ts';
import { styleFor } from './terminal/style.ts';

/** Commands whose output is all there is to them; so are those of the form `... list`. */
const PRINTING_COMMANDS = new Set(['search', 'status']);
/** What makes the output of any other command what it is for. */
const OUTPUT_FLAGS = new Set(['--json', '--help', '-h', '--version', '-V', 'help', '--dry-run']);
/** Their exit code is a verdict as well, which scripts rely on: they go on when nobody reads any more. */
const JUDGING_COMMANDS = new Set(['plan', 'doctor', 'verify']);
/** A server first waits for its ingests, each of which has the usual time. */
const SERVE_DEADLINE_MS = 19_000;

/** Runs one command line. @returns the exit code: 0 done, 1 failed, 2 usage, 3 done with dead letters, 130 interrupted */
export async function runCli(
  args: readonly string[],
  readConfig: (configFile: string | undefined) => Config | Promise<Config>,
): Promise<number> {
  const { stdout, stderr } = process;
  const output = guardOutput(stdout);
  guardOutput(stderr);
  const onSecondSignal = new Set<() => void>();
  const endNow = () => {
    for (const action of onSecondSignal) action();
    process.exit(EXIT.interrupted);
  };
  using stop = listenForStop({
    onSecond: endNow,
    onDeadline: () => {
      stderr.write('Ended without waiting any longer for a service that does not answer.\n');
      endNow();
    },
    ...(args[0] === 'serve' ? { deadlineMs: SERVE_DEADLINE_MS } : {}),
  });
  // A reader that has seen enough (`| head`) is no failure, and a command that only prints is then done: it was stopped for
  // that alone. What it found out before keeps its exit code.
  const isUnread = () =>
    onlyPrints(args) && output.lost.aborted && output.failure === null && !stop.signal.aborted;
  const wasStoppedUnread = (error: unknown) => isUnread() && isAbort(error, output.lost);
  let exitCode: number = EXIT.done;
  let configFile: string | undefined;
  const run = async (command: (context: CommandContext) => Promise<number>) => {
    const config = await readConfig(configFile);
    tellOldState(config, (text) => stderr.write(`${text}\n`));
    exitCode = await command({
      config,
      cwd: process.cwd(),
      stdin: process.stdin,
      stdout,
      stderr,
      style: styleFor(stdout),
      errorStyle: styleFor(stderr),
      // Nobody reads what is left to print; work goes on unseen.
      signal: onlyPrints(args) ? AbortSignal.any([stop.signal, output.lost]) : stop.signal,
      onSecondSignal: (action) => onSecondSignal.add(action),
    });
  };
  try {
    const program = buildProgram(run).hook('preAction', (_, command) => {
      configFile = command.opts<{ config?: string }>().config;
    });
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    exitCode = wasStoppedUnread(error) ? EXIT.done : reportError(error, stop.signal, args.includes('--json'));
  }
  await output.flush();
  if (output.failure !== null) return reportLostOutput(output.failure, exitCode, args);
  return isUnread() && exitCode === EXIT.interrupted ? EXIT.done : exitCode;
}

/** Whether an error, or what caused it, says that this signal has fired. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (error === signal.reason) return true;
  if (!(error instanceof Error)) return false;
  return error.name === 'AbortError' || isAbort(error.cause, signal);
}

function onlyPrints(args: readonly string[]): boolean {
  return PRINTING_COMMANDS.has(args[0] ?? '') || args[1] === 'list' || args.length === 0;
}

/** That is a failure where the output was what the command was for. @returns the exit code */
function reportLostOutput(failure: string, exitCode: number, args: readonly string[]): number {
  process.stderr.write(`error: The output could not be written: ${failure}.\n`);
  const wasThePoint =
    onlyPrints(args) || JUDGING_COMMANDS.has(args[0] ?? '') || args.some((arg) => OUTPUT_FLAGS.has(arg));
  return wasThePoint && (exitCode === EXIT.done || exitCode === EXIT.deadLetters) ? EXIT.failed : exitCode;
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
  return exitCodeOf(error);
}
