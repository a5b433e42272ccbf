import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { killProcess } from '../kill-process.ts';
import { startQdrantDouble } from './server.ts';

export interface ForkedDouble {
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
}

/** The double in a process of its own, so that its work is not that of whoever uses it. */
export async function forkQdrantDouble(): Promise<ForkedDouble> {
  const child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [url] = (await once(child, 'message')) as [string];
  return {
    url,
    pid: child.pid ?? 0,
    close: () => killProcess(child),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const double = await startQdrantDouble();
  process.send?.(double.url);
}
