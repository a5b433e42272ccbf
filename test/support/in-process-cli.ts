import { Readable, Writable } from 'node:stream';
import { loadConfig } from '@embedline/core';
import { buildProgram } from '../../apps/producer/src/command-line/program.ts';
import type { CommandContext } from '../../apps/producer/src/commands/command-context.ts';
import { exitCodeOf } from '../../apps/producer/src/commands/exit-codes.ts';
import { printError } from '../../apps/producer/src/terminal/print-error.ts';
import { styleFor } from '../../apps/producer/src/terminal/style.ts';
import type { CliResult, TestBench } from './cli.ts';

/**
 * Runs a command of `embedline` as a process would, but in this one: for tests of many commands, which need not wait for
 * a new Node each. What a process has of its own (signals, exit codes of usage errors, workers) is not there.
 */
export async function runInProcess(
  { directory, env: usual }: Pick<TestBench, 'directory' | 'env'>,
  args: readonly string[],
  env: Record<string, string> = {},
  stdin: Readable = Readable.from([]),
): Promise<CliResult> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const style = styleFor({}, {});
  let code: number;
  try {
    const config = loadConfig({ ...usual, ...env });
    const context: CommandContext = {
      config,
      cwd: directory,
      stdin,
      stdout,
      stderr,
      style,
      errorStyle: style,
      signal: new AbortController().signal,
      onSecondSignal: () => undefined,
    };
    code = 0;
    const program = buildProgram(async (command) => void (code = await command(context)));
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    printError(error, { json: args.includes('--json'), context: { stdout, stderr, errorStyle: style } });
    code = exitCodeOf(error);
  }
  return {
    code,
    stdout: stdout.text,
    stderr: stderr.text,
    get json() {
      const lines = stdout.text.split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

class Sink extends Writable {
  text = '';

  override _write(block: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += block.toString('utf8');
    done();
  }
}
