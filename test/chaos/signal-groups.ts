import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ChaosCorpus } from './corpus.ts';
import { failIfEnded } from './kill-producers.ts';
import { feed, INGEST_ARGS } from './feed.ts';
import { currentRun, untilAnotherRun, untilProgress, type ChaosSystem } from './system.ts';
import { PACED_WORKER } from './worker-fleet.ts';

const LEADER = fileURLToPath(new URL('./process-group.ts', import.meta.url));
/** The command as people start it, and not only its program. */
const COMMAND = fileURLToPath(new URL('../../apps/producer/bin/embedline.mjs', import.meta.url));
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
const INTERRUPTED = 130;
const STOP_MS = 20_000;

/**
 * A producer and two workers of one process group get one signal, as by Ctrl-C or systemd. Each counts it once: the run is
 * recorded as interrupted, and the workers hand back what they have.
 * @returns the longest time until all had ended, in milliseconds
 */
export async function signalGroups(times: number, system: ChaosSystem, corpus: ChaosCorpus): Promise<number> {
  let longestMs = 0;
  for (let round = 0; round < times; round += 1) {
    const signal = SIGNALS[Math.floor(system.random() * SIGNALS.length)] ?? 'SIGTERM';
    longestMs = Math.max(longestMs, await signalGroup(signal, system, corpus));
  }
  return longestMs;
}

async function signalGroup(
  signal: NodeJS.Signals,
  system: ChaosSystem,
  corpus: ChaosCorpus,
): Promise<number> {
  const programs = [[COMMAND, ...INGEST_ARGS], [PACED_WORKER], [PACED_WORKER]];
  const leader = spawn(process.execPath, [LEADER, JSON.stringify(programs)], {
    env: system.env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let ends = '';
  leader.stdout.setEncoding('utf8').on('data', (text: string) => (ends += text));
  const ingest = feed(leader, corpus, Infinity);
  const group = -(leader.pid ?? 0);
  try {
    const before = (await currentRun(system))?.spec.runId;
    await Promise.race([untilAnotherRun(system, before), failIfEnded(ingest)]);
    await Promise.race([untilProgress(system), failIfEnded(ingest)]);
    await Promise.race([delay(system.random() * 1_000), failIfEnded(ingest)]);
    process.kill(group, signal);
    const startedAtMs = performance.now();
    await Promise.race([ingest.exited, delay(STOP_MS, undefined, { ref: false })]);
    const run = await currentRun(system);
    const seen = JSON.stringify([run?.state, ...(ends === '' ? ['still running'] : JSON.parse(ends))]);
    const wanted = JSON.stringify(['interrupted', INTERRUPTED, 0, 0]);
    if (seen !== wanted) throw new Error(`After one ${signal}: ${seen}, not ${wanted}.\n${ingest.output()}`);
    return performance.now() - startedAtMs;
  } finally {
    killGroup(group);
  }
}

function killGroup(group: number): void {
  try {
    process.kill(group, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
