import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ChaosCorpus } from './corpus.ts';

export const PRODUCER = fileURLToPath(new URL('../../apps/producer/src/main.ts', import.meta.url));

/** An ingest that reads from a pipe for as long as there is to be work. */
export interface FedIngest {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  /** Everything it printed. */
  output(): string;
  /** Documents that were fed, once {@link finish} has been called. */
  readonly fed: Promise<number>;
  /** No more than the least number of documents is needed from now on. */
  finish(): void;
}

/** Enough for all workers, and soon worked off when no more is fed. */
const MAX_QUEUED_BATCHES = 96;

/** Of an ingest of the main pipeline. */
export const INGEST_ARGS: readonly string[] = [
  'ingest',
  '-',
  '--collection',
  'chaos',
  '--format',
  'jsonl',
  '--workers',
  '0',
  '--json',
  // Of a small corpus, the texts that are bad on purpose may be more than one percent.
  '--max-given-up',
  '5%',
];

/** @param atLeast documents that are fed in any case */
export function startFedIngest(
  corpus: ChaosCorpus,
  atLeast: number,
  env: NodeJS.ProcessEnv,
  maxQueuedBatches = MAX_QUEUED_BATCHES,
): FedIngest {
  const args = [PRODUCER, ...INGEST_ARGS, '--max-queued-batches', String(maxQueuedBatches)];
  return feed(spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'pipe'] }), corpus, atLeast);
}

/**
 * Feeds a process that hands its stdin to an ingest.
 * @param atLeast documents that are fed in any case
 */
export function feed(child: ChildProcessWithoutNullStreams, corpus: ChaosCorpus, atLeast: number): FedIngest {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-20_000)));
  child.stdin.on('error', () => undefined);
  let [enough, ended] = [false, false];
  const exited = once(child, 'close').then(([code]) => {
    ended = true;
    return code as number | null;
  });
  const write = async () => {
    for (let index = 0; ; index += 1) {
      if (ended || (enough && index >= atLeast)) {
        child.stdin.end();
        return index;
      }
      if (!child.stdin.write(`${JSON.stringify(corpus.record(index))}\n`))
        await Promise.race([new Promise((resolve) => child.stdin.once('drain', resolve)), exited]);
    }
  };
  return { process: child, exited, output: () => output, fed: write(), finish: () => void (enough = true) };
}
