import type { Releasers } from '@embedline/core';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const held = new Set<Releasers>();

/**
 * Lets a benchmark or a long test that is cut off (Ctrl-C) release what it holds and end with 130: servers that it
 * started are in no process group of its own, and stay; so do its folders and what it has mounted.
 */
export function releaseOnSignal(releasers: Releasers): void {
  if (held.size === 0) for (const name of SIGNALS) process.on(name, releaseAll);
  held.add(releasers);
  releasers.add(() => {
    held.delete(releasers);
    if (held.size === 0) for (const name of SIGNALS) process.off(name, releaseAll);
  });
}

function releaseAll(): void {
  // What was using them fails now, for no other reason.
  process.on('uncaughtException', () => undefined);
  void Promise.allSettled([...held].map((releasers) => releasers.release())).then(() => process.exit(130));
}
