import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Takes what is to be released at the end of a test, or of whatever else holds it. */
export type OnEnd = (release: () => Promise<void> | void) => void;

/** A directory that goes with the test. */
export async function temporaryDirectory(onEnd: OnEnd = onTestFinished): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'embedline-test-'));
  onEnd(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Waits until a condition holds; fails with its description when it never does. */
export async function until(
  description: string,
  condition: () => Promise<boolean> | boolean,
  timeoutMs = 60_000,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`Waited ${timeoutMs} ms in vain until ${description}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
