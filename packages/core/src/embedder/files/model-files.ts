import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { EmbedlineError } from '../../errors.ts';
import { isFile, sha256 } from '../model-folder.ts';

/** The files of a model, in a folder or on the hub. */
export interface ModelFiles {
  /** For messages, e.g. the folder. */
  readonly place: string;
  /** Folder on this machine in which the files are found. */
  readonly directory: string;
  /**
   * @param path relative to the model's folder, with `/`
   * @returns where the file is on this machine; null when the model has none of that name
   */
  find(path: string): Promise<string | null>;
}

export function filesInFolder(directory: string): ModelFiles {
  return {
    place: directory,
    directory,
    find: async (path) => {
      const file = join(directory, path);
      return (await isFile(file)) ? file : null;
    },
  };
}

/**
 * The files of a model that decide which vector a text gets: those that were looked at to find out how it is used. The
 * hash is of all of them, so it cannot leave out what a check depends on.
 */
export class DecidingFiles {
  readonly #files: ModelFiles;
  readonly #found = new Map<string, string>();

  constructor(files: ModelFiles) {
    this.#files = files;
  }

  get place(): string {
    return this.#files.place;
  }

  get directory(): string {
    return this.#files.directory;
  }

  async find(path: string): Promise<string | null> {
    const file = await this.#files.find(path);
    if (file !== null) this.#found.set(path, file);
    return file;
  }

  /** What a JSON file says; null when the model has no such file. @throws EmbedlineError MODEL_INVALID */
  async readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
    const file = await this.find(path);
    if (file === null) return null;
    let content: unknown;
    try {
      content = JSON.parse(await readFile(file, 'utf8'));
    } catch (cause) {
      throw this.#unreadable(path, 'it is not JSON', cause);
    }
    const parsed = schema.safeParse(content);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw this.#unreadable(path, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, parsed.error);
  }

  /** SHA-256 (hex) over the paths and the SHA-256 of the contents of all files found so far, in the order of the paths. */
  async hash(): Promise<string> {
    const whole = createHash('sha256');
    for (const [path, file] of [...this.#found].sort(([a], [b]) => (a < b ? -1 : 1)))
      whole.update(`${path}\0${await sha256(file)}\n`);
    return whole.digest('hex');
  }

  #unreadable(path: string, reason: string, cause: unknown): EmbedlineError {
    return new EmbedlineError(
      'MODEL_INVALID',
      `${path} in ${this.place} is not what a sentence-transformers or Model2Vec model has there (${reason}). Fetch the model again.`,
      { cause },
    );
  }
}
