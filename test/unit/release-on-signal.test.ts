import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary.ts';

const PROGRAM = fileURLToPath(new URL('../support/holds-folders.ts', import.meta.url));

test.each(['SIGINT', 'SIGTERM'] as const)('%s releases all that a long test holds', async (signal) => {
  const directory = await temporaryDirectory();
  const folders = ['released-at-once', 'released-later'].map((name) => join(directory, name));
  for (const folder of folders) await mkdir(folder);
  const child = fork(PROGRAM, folders, { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  const ended = once(child, 'exit');
  child.kill(signal);
  expect(await ended).toEqual([130, null]);
  expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
});
