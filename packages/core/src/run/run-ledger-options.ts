import type { DeadLetter } from '../document.ts';
import type { Patience } from '../outages.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { SigningKeys } from '../signing/signing-keys.ts';
import type { GivenUpChunk } from './given-up.ts';
import type { UnreadableRun } from './run-index.ts';
import type { BatchResult } from './run.ts';

export interface RunLedgerOptions {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** Whether calls outlast the patience of the connection. Defaults to IMPATIENT. */
  readonly patience?: Patience;
  /** Told of runs that lists leave out, since their records cannot be read. */
  readonly onUnreadable?: (found: UnreadableRun) => void;
  /** Sign what is written, and decide what is acted on. Defaults to none. */
  readonly signingKeys?: SigningKeys | null | undefined;
}

export interface CompletedBatch {
  readonly runId: string;
  readonly batchIndex: number;
  readonly workerId: string;
  readonly result: BatchResult;
  readonly deadLetters: readonly (DeadLetter | GivenUpChunk)[];
}
