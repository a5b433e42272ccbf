import type { RunLedger } from './run-ledger.ts';
import { findLostProducers, type LostProducer, type ProducerSignsOptions } from './producer-signs.ts';
import type { RunProgress, RunState } from './run.ts';

export interface ObservedRunsOptions extends ProducerSignsOptions {
  readonly ledger: RunLedger;
}

/** Which runs are wanted; all where nothing is said. */
export interface RunFilter {
  readonly pipeline?: string | undefined;
  readonly states?: ReadonlySet<RunState> | undefined;
  readonly limit?: number | undefined;
}

const PAGE = 50;

/**
 * Runs as people should see them: one that has not ended but whose producer is gone is `lost`, with what to do. That is
 * found out at each look and never stored, so a producer that was only away is `running` again when it comes back.
 */
export class ObservedRuns {
  readonly #options: ObservedRunsOptions;

  constructor(options: ObservedRunsOptions) {
    this.#options = options;
  }

  /** Null when Redis does not have it. @throws RUN_LOST when its record is not readable */
  async find(runId: string): Promise<RunProgress | null> {
    const run = await this.#options.ledger.progress(runId);
    return run === null ? null : ((await this.#observe([run]))[0] ?? null);
  }

  /** Runs that have not ended, `running` and `lost`, newest first. */
  async unfinished(pipeline?: string): Promise<RunProgress[]> {
    const runs = await this.#observe(await this.#options.ledger.index.running(pipeline));
    // One may have ended while it was looked at.
    return runs.filter(({ state }) => state === 'running' || state === 'lost');
  }

  /** The newest run that has dead letters, or null. */
  async newestWithDeadLetters(): Promise<RunProgress | null> {
    const run = await this.#options.ledger.index.newestWithDeadLetters();
    return run === null ? null : ((await this.#observe([run]))[0] ?? null);
  }

  /** Newest first. */
  async list({ pipeline, states, limit = Infinity }: RunFilter = {}): Promise<RunProgress[]> {
    const found: RunProgress[] = [];
    for await (const page of this.#pages({ pipeline, states, limit })) {
      for (const run of await this.#observe(page))
        if (states === undefined || states.has(run.state)) found.push(run);
      if (found.length >= limit) break;
    }
    return found.slice(0, limit);
  }

  async *#pages({ pipeline, states, limit = Infinity }: RunFilter): AsyncGenerator<RunProgress[]> {
    const { index } = this.#options.ledger;
    const isUnfinished = (state: RunState) => state === 'running' || state === 'lost';
    if (states !== undefined && [...states].every(isUnfinished)) {
      yield await index.running(pipeline);
      return;
    }
    const atMost = states === undefined && limit !== Infinity ? limit : undefined;
    let page: RunProgress[] = [];
    for await (const run of index.newestFirst(pipeline, atMost)) {
      page.push(run);
      if (page.length < Math.min(PAGE, limit)) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  async #observe(runs: readonly RunProgress[]): Promise<RunProgress[]> {
    const running = runs.filter(({ state }) => state === 'running');
    if (running.length === 0) return [...runs];
    const lost = new Map(
      (await findLostProducers(running, this.#options)).map((found) => [found.runId, found]),
    );
    return Promise.all(
      runs.map((run) => {
        const found = lost.get(run.spec.runId);
        return found === undefined ? Promise.resolve(run) : this.#confirm(run, found);
      }),
    );
  }

  /** A run that ended after it was read has given up its lock, too: it is read once more. */
  async #confirm(run: RunProgress, { sinceMs, reason }: LostProducer): Promise<RunProgress> {
    const { runId, pipeline } = run.spec;
    const again = (await this.#options.ledger.progress(runId)) ?? run;
    if (again.state !== 'running') return again;
    const remedy =
      `Ingest ${pipeline} again: that costs only the difference. ` +
      `Or drop what it left in the queue: embedline runs cancel ${runId}`;
    const lost = { sinceMs, reason, remedy };
    return { ...again, state: 'lost', lost, waitingFor: null, message: `${reason}. ${remedy}` };
  }
}
