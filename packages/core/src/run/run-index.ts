import type { RunKeys } from './run-keys.ts';
import type { RunProgress } from './run.ts';
import { isEmbedlineError } from '../errors.ts';
import type { RedisConnection } from '../redis/connection.ts';

export interface RunIndexOptions {
  readonly redis: RedisConnection;
  readonly keys: RunKeys;
  /** Reads the record of a run; null when Redis does not have it. */
  readonly progress: (runId: string) => Promise<RunProgress | null>;
  /** Wraps every question to Redis: patience, and errors for people. */
  readonly ask: <T>(question: () => Promise<T>) => Promise<T>;
  /** Told of a record that is left out of what is found, each time that it is met. */
  readonly onUnreadable?: ((found: UnreadableRun) => void) | undefined;
}

/** A run that is listed, and whose record is damaged or of a newer version. */
export interface UnreadableRun {
  readonly runId: string;
  readonly reason: 'damaged' | 'newer';
}

/** Where a run is listed. */
interface Listed {
  readonly runId: string;
  readonly startedAtMs: number;
  readonly lists: readonly string[];
}

/** Lists of which only the newest entries are read. */
interface Parts {
  readonly newestOf?: readonly string[];
  /** All when undefined. */
  readonly atMost?: number | undefined;
}

/** Records that are read at once. */
const PAGE = 50;

/**
 * Finds runs: by pipeline, by whether they have ended, by whether they have dead letters. Each of these lists is whole;
 * what people see of all pipelines is merged from them. An entry whose record has expired is dropped when it is met.
 * Runs of version 0.1.0, which kept one list only, are found in that one as well.
 */
export class RunIndex {
  readonly #options: RunIndexOptions;

  constructor(options: RunIndexOptions) {
    this.#options = options;
  }

  /**
   * Runs, newest first, but for those whose record is not readable.
   * @param pipeline of this pipeline only
   * @param atMost how many the caller will take at most; all when absent
   */
  async *newestFirst(pipeline?: string, atMost?: number): AsyncGenerator<RunProgress> {
    const { keys } = this.#options;
    const pipelines = pipeline === undefined ? await this.#pipelines(atMost) : [pipeline];
    const lists = pipelines.map((name) => keys.runsOf(name));
    // These two hold runs of other pipelines too: they are read whole.
    for await (const run of this.#read([keys.runningRuns, keys.runs], { newestOf: lists, atMost }))
      if (pipeline === undefined || run.spec.pipeline === pipeline) yield run;
  }

  /** The runs that have not ended, newest first; one whose producer died is among them. */
  async running(pipeline?: string): Promise<RunProgress[]> {
    const { keys } = this.#options;
    const found: RunProgress[] = [];
    for await (const run of this.#read([keys.runningRuns, keys.runs]))
      if (run.state === 'running' && (pipeline === undefined || run.spec.pipeline === pipeline))
        found.push(run);
    return found;
  }

  /** The newest run that has dead letters, or null. */
  async newestWithDeadLetters(): Promise<RunProgress | null> {
    const { keys } = this.#options;
    for await (const run of this.#read([keys.runsWithDeadLetters, keys.runs]))
      if (run.deadLetters > 0) return run;
    return null;
  }

  /** The pipelines whose last runs are the newest; the newest runs of all are among theirs. */
  #pipelines(atMost?: number): Promise<string[]> {
    const { redis, keys, ask } = this.#options;
    return ask(() => redis.zrevrange(keys.pipelines, 0, atMost === undefined ? -1 : atMost - 1));
  }

  async *#read(whole: readonly string[], parts?: Parts): AsyncGenerator<RunProgress> {
    const listed = await this.#merge(whole, parts);
    for (let start = 0; start < listed.length; start += PAGE) {
      const page = listed.slice(start, start + PAGE);
      const runs = await Promise.all(page.map(({ runId }) => this.#progressOrGone(runId)));
      await this.#unlist(page.filter((_, position) => runs[position] === 'gone'));
      for (const run of runs) if (typeof run === 'object') yield run;
    }
  }

  /** Newest first, each once, whatever lists have it. */
  async #merge(whole: readonly string[], { newestOf = [], atMost }: Parts = {}): Promise<Listed[]> {
    const { redis, ask } = this.#options;
    const last = atMost === undefined ? -1 : atMost - 1;
    const lists = [...whole, ...newestOf];
    const entries = await ask(() =>
      Promise.all(
        lists.map((list, index) => redis.zrevrange(list, 0, index < whole.length ? -1 : last, 'WITHSCORES')),
      ),
    );
    const merged = new Map<string, { startedAtMs: number; lists: string[] }>();
    for (const [position, flat] of entries.entries()) {
      for (let index = 0; index < flat.length; index += 2) {
        const runId = flat[index] ?? '';
        const found = merged.get(runId) ?? { startedAtMs: Number(flat[index + 1]), lists: [] };
        found.lists.push(lists[position] ?? '');
        merged.set(runId, found);
      }
    }
    return [...merged].map(([runId, entry]) => ({ runId, ...entry })).sort(newestFirst);
  }

  async #progressOrGone(runId: string): Promise<RunProgress | 'gone' | 'unreadable'> {
    try {
      return (await this.#options.progress(runId)) ?? 'gone';
    } catch (error) {
      const isNewer = isEmbedlineError(error, 'VERSION_UNSUPPORTED');
      if (!isNewer && !isEmbedlineError(error, 'RUN_INVALID')) throw error;
      this.#options.onUnreadable?.({ runId, reason: isNewer ? 'newer' : 'damaged' });
      return 'unreadable';
    }
  }

  async #unlist(gone: readonly Listed[]): Promise<void> {
    const { redis } = this.#options;
    const removals = gone.flatMap(({ runId, lists }) => lists.map((list) => redis.zrem(list, runId)));
    // A Redis that takes no writes for now keeps the entries a little longer.
    await Promise.all(removals.map((removal) => removal.catch(() => 0)));
  }
}

function newestFirst(a: Listed, b: Listed): number {
  return b.startedAtMs - a.startedAtMs || (a.runId < b.runId ? 1 : -1);
}
