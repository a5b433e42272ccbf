import { spawnSync } from 'node:child_process';
import { listenForStop, Releasers, within } from '@embedline/core';
import { expect, onTestFinished, test, vi } from 'vitest';

/** Signals are delivered as the system would, without reaching the test runner's own listeners. */
function listening(options: { hasTerminal?: boolean; deadlineMs?: number } = {}) {
  vi.useFakeTimers();
  const before = new Map(
    (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((name) => [name, process.listeners(name)]),
  );
  const seconds: string[] = [];
  let deadlines = 0;
  const stop = listenForStop({
    onSecond: (signal) => seconds.push(signal),
    onDeadline: () => (deadlines += 1),
    hasTerminal: false,
    ...options,
  });
  onTestFinished(() => {
    stop[Symbol.dispose]();
    vi.useRealTimers();
  });
  const deliver = (name: NodeJS.Signals) => {
    const own = process
      .listeners(name)
      .filter((listener) => !before.get(name as 'SIGINT')?.includes(listener));
    expect(own).toHaveLength(1);
    for (const listener of own) (listener as (signal: string) => void)(name);
  };
  return { signal: stop.signal, seconds, deliver, deadlines: () => deadlines };
}

test('one stop signal that arrives several times is one: from the group, a launcher, npm or timeout', () => {
  const { signal, seconds, deliver } = listening();
  deliver('SIGINT');
  expect(signal.reason).toBe('SIGINT');
  deliver('SIGINT');
  vi.advanceTimersByTime(900);
  deliver('SIGINT');
  expect(seconds).toEqual([]);
  vi.advanceTimersByTime(200);
  deliver('SIGINT');
  expect(seconds).toEqual(['SIGINT']);
});

test('SIGTERM with SIGHUP at once, as systemd sends them when a session ends, is one stop', () => {
  const { signal, seconds, deliver } = listening({ hasTerminal: true });
  deliver('SIGTERM');
  deliver('SIGHUP');
  expect(signal.reason).toBe('SIGTERM');
  expect(seconds).toEqual([]);
});

test('SIGHUP ends what works in a terminal, and not what has none: nohup, systemd, cron', () => {
  const without = listening({ hasTerminal: false });
  without.deliver('SIGHUP');
  expect(without.signal.aborted).toBe(false);
  without.deliver('SIGTERM');
  expect(without.signal.reason).toBe('SIGTERM');
  const inTerminal = listening({ hasTerminal: true });
  inTerminal.deliver('SIGHUP');
  expect(inTerminal.signal.reason).toBe('SIGHUP');
});

test('a program that does not end in time after a stop is told so, once', () => {
  const { deliver, deadlines } = listening({ deadlineMs: 5_000 });
  vi.advanceTimersByTime(60_000);
  expect(deadlines()).toBe(0);
  deliver('SIGTERM');
  vi.advanceTimersByTime(4_900);
  expect(deadlines()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(deadlines()).toBe(1);
});

test('a stopped program that waits for what never comes ends at its deadline, with its own exit code', () => {
  const lifecycle = import.meta.resolve('../../packages/core/src/lifecycle.ts');
  const program = `
    import { listenForStop } from ${JSON.stringify(lifecycle)};
    listenForStop({ onSecond: () => {}, onDeadline: () => process.exit(130), deadlineMs: 50 });
    process.emit('SIGTERM', 'SIGTERM');
    await new Promise(() => {});`;
  // Node alone would end it with code 13 as soon as nothing else is under way.
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
  expect(status).toBe(130);
});

test('what does not close in time is left behind, and the rest is closed', async () => {
  const closed: string[] = [];
  const releasers = new Releasers();
  releasers.add(() => void closed.push('first'));
  releasers.own({ close: () => new Promise(() => undefined) }, { deadlineMs: 10 });
  releasers.add(() => void closed.push('last'));
  await releasers.release();
  expect(closed).toEqual(['last', 'first']);
});

test('an error within the deadline is passed on, a later one is dropped', async () => {
  await expect(within(1_000, Promise.reject(new Error('soon')))).rejects.toThrow('soon');
  const late = Promise.withResolvers<void>();
  await within(1, late.promise);
  late.reject(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
});
