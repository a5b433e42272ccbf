import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/**
 * Returns when the process has ended, and writes nothing more. It may have ended before: Ctrl-C reaches it, too.
 * @param signal defaults to SIGKILL
 */
export async function killProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
