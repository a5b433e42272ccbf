import { Outages, RunLedger, throttle, type Outage, type Patience, type RunSpec } from '@embedline/core';
import type { CommandContext, RunServices } from './context.ts';

/** Waits out the outages of an ingest, and tells people and the run's record of them. */
export interface ToldOutages {
  /** Until somebody wants to stop. */
  readonly patience: Patience;
  /** From now on, `embedline status` says what this run waits for. */
  recordFor(spec: RunSpec, services: RunServices): void;
}

export function tellOutages(context: CommandContext, tell: (text: string) => void): ToldOutages {
  let record: (outage: Outage | null) => void = () => undefined;
  const say = throttle(10_000, (reason) => tell(`${reason} Waiting.`));
  const outages = new Outages({
    onChange: (outage) => {
      record(outage);
      if (outage === null) tell('What was waited for is back.');
      else say(outage.reason);
    },
  });
  return {
    patience: {
      waitOut: (operation, signal = context.signal) => outages.waitOut(operation, signal),
    },
    recordFor: ({ runId }, { redis }) => {
      const ledger = new RunLedger({ redis, prefix: context.config.prefix });
      // An outage of Redis itself cannot be recorded, and an ended run waits for nothing.
      record = (outage) => void ledger.setWaiting(runId, outage).catch(() => undefined);
    },
  };
}
