import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@embedline/core';
import type { FailureHook } from '../pipeline/failure-hook.ts';
import { callHook, HookRefused } from './call-hook.ts';
import type { FailureReport } from './failure-report.ts';

export interface FailureHooksOptions {
  /** Told of each report that was taken, and of each that was not, with the reason. */
  readonly onTold: (pipeline: string) => void;
  readonly onError: (message: string) => void;
  /** Pause before the second attempt; it doubles twice over with each. Defaults to 1,000. */
  readonly firstPauseMs?: number;
}

const HOUR_MS = 3_600_000;
/** Reports that are under way when the server stops get so long. */
const STOP_MS = 3_000;

/** Tells hooks of failures, beside the work: a hook that fails or hangs holds up no ingest. */
export class FailureHooks {
  readonly #options: FailureHooksOptions;
  readonly #underWay = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #toldAtMs = new Map<string, number[]>();
  readonly #leftOut = new Map<string, number>();

  constructor(options: FailureHooksOptions) {
    this.#options = options;
  }

  /** @param directory where a command is run */
  tell(hook: FailureHook, report: Omit<FailureReport, 'leftOut'>, directory: string): void {
    const { pipeline } = report;
    const nowMs = Date.now();
    const told = (this.#toldAtMs.get(pipeline) ?? []).filter((timeMs) => nowMs - timeMs < HOUR_MS);
    const leftOut = this.#leftOut.get(pipeline) ?? 0;
    if (told.length >= hook.maxPerHour) {
      this.#leftOut.set(pipeline, leftOut + 1);
      this.#options.onError(
        `onFailure of ${pipeline} was told ${hook.maxPerHour} times within an hour: this failure is left out.`,
      );
      return;
    }
    this.#toldAtMs.set(pipeline, [...told, nowMs]);
    this.#leftOut.delete(pipeline);
    const telling = this.#attempt(
      hook,
      pipeline,
      `${JSON.stringify({ ...report, leftOut })}\n`,
      directory,
    ).finally(() => this.#underWay.delete(telling));
    this.#underWay.add(telling);
  }

  /** Gives what is under way a moment to end. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), STOP_MS);
    await Promise.all(this.#underWay);
    clearTimeout(timer);
  }

  async #attempt(hook: FailureHook, pipeline: string, body: string, directory: string): Promise<void> {
    const { onTold, onError, firstPauseMs = 1_000 } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await callHook(hook, body, directory, this.#stop.signal);
        return onTold(pipeline);
      } catch (error) {
        const isLast = attempt >= hook.attempts || error instanceof HookRefused;
        const times = attempt === 1 ? 'once' : `${attempt} times`;
        if (isLast)
          return onError(`onFailure of ${pipeline} was tried ${times} in vain: ${messageOf(error)}`);
        await delay(firstPauseMs * 4 ** (attempt - 1), undefined, { signal: this.#stop.signal }).catch(
          () => undefined,
        );
      }
    }
  }
}
