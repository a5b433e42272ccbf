import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';

export interface Terminal {
  readonly stdin: Readable;
  readonly stderr: Writable;
  readonly signal: AbortSignal;
}

/** Whether a person can be asked. */
export function isTerminal(stdin: Readable): boolean {
  return 'isTTY' in stdin && stdin.isTTY === true;
}

/** Asks on stderr, so that stdout stays for results. @returns true only for `y` or `yes` */
export async function confirm(question: string, { stdin, stderr, signal }: Terminal): Promise<boolean> {
  const prompt = createInterface({ input: stdin, output: stderr });
  // The end of the input is an answer, too.
  const closed = new Promise<string>((resolve) => void prompt.once('close', () => resolve('')));
  try {
    const answer = await Promise.race([prompt.question(`${question} [y/N] `, { signal }), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return false;
    throw error;
  } finally {
    prompt.close();
  }
}
