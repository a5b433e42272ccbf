import { Readable } from 'node:stream';
import { beforeAll, onTestFinished } from 'vitest';
import { testBench, type CliResult, type TestBench } from './cli.ts';
import { runInProcess } from './in-process-cli.ts';
import type { OnEnd } from './temporary.ts';

/** A bench that has a worker already, so that an ingest need not start programs of its own. */
export interface ServedBench extends TestBench {
  /** Runs a command in this process: its texts are embedded by the worker. */
  command(args: readonly string[], stdin?: string): Promise<CliResult>;
}

/** One real worker for all ingests of a test; programs take a second of CPU each to start. */
export async function servedBench(
  extra: Record<string, string> = {},
  onEnd: OnEnd = onTestFinished,
): Promise<ServedBench> {
  const bench = await testBench(extra, onEnd);
  bench.startWorker();
  const command = (args: readonly string[], stdin?: string) =>
    runInProcess(bench, args, {}, Readable.from(stdin === undefined ? [] : [Buffer.from(stdin)]));
  return { ...bench, command };
}

/** One bench for all tests of a file or `describe`: each names a collection of its own. */
export function sharedServedBench(): () => ServedBench {
  let bench: ServedBench | undefined;
  beforeAll(async () => {
    const releases: Parameters<OnEnd>[0][] = [];
    bench = await servedBench({}, (release) => releases.push(release));
    return async () => {
      for (const release of releases.toReversed()) await release();
    };
  });
  return () => {
    if (bench === undefined) throw new Error('the bench is made before the first test');
    return bench;
  };
}
