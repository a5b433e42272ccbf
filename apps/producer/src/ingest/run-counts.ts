import { NO_PRODUCER_COUNTS, type ProducerCounts } from '@embedline/core';

/** The producer's counters while it works; written to the run's record as they are. */
export type RunCounts = { -readonly [Name in keyof ProducerCounts]: ProducerCounts[Name] };

export function newRunCounts(): RunCounts {
  return { ...NO_PRODUCER_COUNTS };
}
