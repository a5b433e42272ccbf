import { listenForStop, type Releasers, type StopSignals } from '@embedline/core';

const held = new Set<Releasers>();
let signals: StopSignals | null = null;

/**
 * Lets a benchmark or a long test that is cut off (Ctrl-C) release what it holds and end with 130: servers that it
 * started are in process groups of their own, and stay; so do its folders and what it has mounted.
 */
export function releaseOnSignal(releasers: Releasers): void {
  signals ??= listen();
  held.add(releasers);
  releasers.add(() => {
    held.delete(releasers);
    if (held.size > 0) return;
    signals?.[Symbol.dispose]();
    signals = null;
  });
}

function listen(): StopSignals {
  // One Ctrl-C may come twice, from the terminal and from npm: the second changes nothing.
  const stop = listenForStop({ onSecond: () => undefined });
  stop.signal.addEventListener('abort', releaseAll);
  return stop;
}

function releaseAll(): void {
  // What was using them fails now, for no other reason.
  process.on('uncaughtException', () => undefined);
  void Promise.allSettled([...held].map((releasers) => releasers.release())).then(() => process.exit(130));
}
