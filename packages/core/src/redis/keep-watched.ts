import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environmentWithoutSecrets } from '../child-environment.ts';
import type { RedisConnection } from './connection.ts';

/** Users of a private Redis are its connections of this name: one that was killed is gone by itself. */
export const LEASE_NAME = 'embedline-lease';
/** The connection that the watcher keeps open for as long as it lives. */
export const WATCHER_NAME = 'embedline-watcher';

const CHECK_EVERY_MS = 4_000;

/** Starts watch-server.ts, which outlives this process and is not in reach of its Ctrl-C. */
export function startWatcher(stateFile: string): void {
  const program = fileURLToPath(new URL('./watch-server.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    ['--max-semi-space-size=1', program, stateFile, LEASE_NAME, WATCHER_NAME],
    { detached: true, stdio: 'ignore', env: environmentWithoutSecrets() },
  );
  // The next check tries again.
  child.on('error', () => undefined);
  child.unref();
}

/**
 * Starts another watcher when the server has none: it may have been killed, too, or an older version may have started
 * the server. Two at a time do no harm.
 */
export function keepWatched(presence: RedisConnection, stateFile: string): { close(): void } {
  let checking = false;
  const check = async () => {
    if (checking || presence.status !== 'ready') return;
    checking = true;
    try {
      const clients = String(await presence.client('LIST'));
      if (!clients.includes(` name=${WATCHER_NAME} `)) startWatcher(stateFile);
    } catch {
      // The server has just gone, or answers nothing for now.
    } finally {
      checking = false;
    }
  };
  const timer = setInterval(() => void check(), CHECK_EVERY_MS).unref();
  return { close: () => clearInterval(timer) };
}
