import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  checkStateFolder,
  isEmbedlineError,
  newerVersion,
  openStateFolder,
  readPrivateFile,
  redactUrl,
  scheduleRecordSchema,
  writePrivateFile,
  type Config,
  type ScheduleSnapshot,
} from '@embedline/core';
import { z } from 'zod';

/** Of the format of the file; see docs/formats.md. */
const KNOWN_VERSION = 1;

const storedSchema = z.looseObject({
  version: z.literal(KNOWN_VERSION),
  records: z.record(z.string(), z.unknown()),
  served: z.record(z.string(), z.unknown()),
});
const servedSchema = z.int().min(0);

const FOLDER = 'schedules';
const NOTHING: ScheduleSnapshot = { records: new Map(), served: new Map() };

/**
 * What a server knew last of the schedules in its Redis: in memory, and in a file of EMBEDLINE_HOME for the next server there.
 * It is of use when Redis has lost its data.
 */
export class KnownSchedules {
  readonly #home: string;
  readonly #name: string;
  #snapshot: ScheduleSnapshot | null = null;
  #stored = '';
  #saving: Promise<void> = Promise.resolve();

  constructor({ dataDirectory, redisUrl, prefix }: Config) {
    const redis = redisUrl === null ? 'private' : redactUrl(redisUrl);
    const hash = createHash('sha256').update(`${redis} ${prefix}`).digest('hex').slice(0, 16);
    this.#home = dataDirectory;
    this.#name = `${hash}.json`;
  }

  /** Nothing when no server has run here, or its file is not readable. */
  async load(): Promise<ScheduleSnapshot> {
    this.#snapshot ??= await readSnapshot(this.#home, this.#name);
    return this.#snapshot;
  }

  async noteServed(pipeline: string, tickMs: number): Promise<void> {
    const { records, served } = await this.load();
    const latestMs = Math.max(tickMs, served.get(pipeline) ?? 0);
    await this.save({ records, served: new Map([...served, [pipeline, latestMs]]) });
  }

  save(snapshot: ScheduleSnapshot): Promise<void> {
    this.#snapshot = snapshot;
    // One after the other: all write the same file.
    const saved = this.#saving.then(() => this.#write(snapshot));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#saving;
  }

  async #write(snapshot: ScheduleSnapshot): Promise<void> {
    const stored = JSON.stringify({
      version: KNOWN_VERSION,
      records: Object.fromEntries(snapshot.records),
      served: Object.fromEntries(snapshot.served),
    } satisfies z.input<typeof storedSchema>);
    if (stored === this.#stored) return;
    // A newer version's file is its own.
    if (newerVersion(await readFile(this.#home, this.#name), KNOWN_VERSION) !== null) return;
    // Whole or not at all: another server of this machine may read it.
    await writePrivateFile(join(openStateFolder(this.#home, FOLDER), this.#name), stored);
    this.#stored = stored;
  }
}

/** A file that is damaged, or a newer version's, is as good as absent; so is an entry that is damaged. */
async function readSnapshot(home: string, name: string): Promise<ScheduleSnapshot> {
  const parsed = storedSchema.safeParse(await readFile(home, name));
  if (!parsed.success) return NOTHING;
  const { records, served } = parsed.data;
  return { records: readable(records, scheduleRecordSchema), served: readable(served, servedSchema) };
}

function readable<T>(entries: Readonly<Record<string, unknown>>, schema: z.ZodType<T>): Map<string, T> {
  const found = new Map<string, T>();
  for (const [pipeline, entry] of Object.entries(entries)) {
    const parsed = schema.safeParse(entry);
    if (parsed.success) found.set(pipeline, parsed.data);
  }
  return found;
}

/** The JSON value in the file; null where there is none. @throws EmbedlineError STATE_UNSAFE */
async function readFile(home: string, name: string): Promise<unknown> {
  if (!checkStateFolder(home, FOLDER)) return null;
  try {
    return JSON.parse((await readPrivateFile(join(home, FOLDER, name))) ?? 'null') as unknown;
  } catch (error) {
    if (isEmbedlineError(error, 'STATE_UNSAFE')) throw error;
    return null;
  }
}
