import { throttle, type Logger, type Outage } from '@embedline/core';

/** Logs an outage: one line in ten seconds while it lasts, one when it is over. */
export function reportOutages(logger: Logger): (outage: Outage | null) => void {
  let sinceMs: number | null = null;
  const log = throttle(10_000, (reason, times) =>
    logger.warn({ times, sinceMs }, `Waiting, and trying again: ${reason}`),
  );
  return (outage) => {
    if (outage === null) {
      const seconds = Math.round((Date.now() - (sinceMs ?? Date.now())) / 1000);
      logger.info({ seconds }, 'What was waited for is back');
      sinceMs = null;
    } else {
      sinceMs = outage.sinceMs;
      log(outage.reason);
    }
  };
}
