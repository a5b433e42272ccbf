import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { messageOf, type ConfigFileSource, type Schedule } from '@embedline/core';
import { loadConfigFile, type ConfigFile } from '../pipeline/config-file.ts';
import type { Programs } from '../pipeline/programs.ts';

/** The configuration file of a server, as it was when it could last be read: an edit that is not finished stops nothing. */
export class ServedFile {
  readonly #onError: (message: string) => void;
  readonly #programs: Programs | undefined;
  #file: ConfigFile;

  /**
   * @param onError told why the file cannot be read now
   * @param programs told of what the file makes this server run
   */
  constructor(file: ConfigFile, onError: (message: string) => void, programs?: Programs) {
    this.#programs = programs;
    this.#file = file;
    this.#onError = onError;
  }

  get file(): ConfigFile {
    return this.#file;
  }

  async reload(): Promise<ConfigFile> {
    try {
      const file = await loadConfigFile('/', this.#file.path, this.#programs);
      if (file !== null && this.#programs !== undefined) allowAll(file, this.#programs);
      if (file !== null && !isDeepStrictEqual(file, this.#file)) this.#file = file;
    } catch (error) {
      this.#onError(`${messageOf(error)} What it said before stays in force until it is readable again.`);
    }
    return this.#file;
  }
}

/** Everything that a server with this file runs. @throws EmbedlineError USAGE where that is forbidden */
export function allowAll({ pipelines, onFailure }: ConfigFile, programs: Programs): void {
  programs.allowHook(onFailure);
  for (const { sources, schedule } of pipelines.values()) {
    programs.allowSources(sources);
    programs.allowHook(schedule?.onFailure);
  }
}

/** This machine's configuration file. */
export function sourceOf({ path }: ConfigFile): ConfigFileSource {
  return { host: hostname(), path };
}

/** The schedules that a file has. */
export function schedulesOf({ pipelines }: ConfigFile): Schedule[] {
  return [...pipelines].flatMap(([pipeline, { schedule }]) => {
    if (schedule === undefined) return [];
    const { cron, timeZone, overlap } = schedule;
    return [{ pipeline, cron, timeZone, overlap }];
  });
}
